import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { isRunning } from '../../base/process/identity.ts';
import type { ConfigEnvironment } from '../../config/paths.ts';
import { findWrittenStateDir } from '../../config/written.ts';
import { type Presence, pathsForCommand, presence } from './record.ts';

/** Far above a record. */
const MOST_BYTES = 64 * 1024;

/** The running daemon of this tunnel YAML, by the record that it left; undefined if none runs. Never rejects. */
export async function findPresence(config: string, env: ConfigEnvironment): Promise<Presence | undefined> {
  const stateDir = await findWrittenStateDir(config, env);
  for (const path of pathsForCommand(config, stateDir, env)) {
    const found = await readPresence(path);
    if (found !== undefined && isRunning(found.owner)) return found;
  }
  return undefined;
}

/** The record at `path`; undefined for anything else. Never rejects. */
export async function readPresence(path: string): Promise<Presence | undefined> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const stat = await file.stat();
    if (!stat.isFile() || stat.size > MOST_BYTES) return undefined;
    return presence.safeParse(JSON.parse(await file.readFile('utf8'))).data;
  } catch {
    return undefined;
  } finally {
    await file?.close();
  }
}
