import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { parseConfig } from '../../../src/config/load.ts';
import { outsideOfUnit } from '../../../src/config/paths.ts';
import { importBridge, importHosts, importUnits } from '../../../src/operator/commands/import.ts';
import { tempDir } from './temp-dir.ts';

const ENV = { HOME: '/home/fleet' };

interface Answer {
  readonly ok: boolean;
  readonly yaml: string;
  readonly remarks: readonly string[];
  readonly failures: readonly string[];
  readonly problems: readonly string[];
}

/** What the command prints, with the exit code and the configuration that the daemon would read. */
export async function run(command: (io: Parameters<typeof importUnits>[2]) => Promise<number>) {
  const printed: string[] = [];
  const code = await command({ env: ENV, out: (text) => printed.push(text), err: (text) => printed.push(text) });
  const answer = JSON.parse(printed.join('')) as Answer;
  // Every result passes the check, also an incomplete one.
  expect(answer.problems).toEqual([]);
  const config = parseConfig(Buffer.from(answer.yaml), 'tunnels.yaml', outsideOfUnit(ENV));
  return { code, ...answer, config, said: answer.remarks.join('\n'), tunnels: [...config.tunnels.values()] };
}

/** Imports unit files; ssh reads no configuration, or the given file. */
export const units = (files: readonly string[], sshConfig = '/dev/null') =>
  run((io) => importUnits(files, { json: true, sshConfig }, io));
/** Imports hosts of an ssh_config. */
export const hosts = (names: readonly string[], sshConfig: string) =>
  run((io) => importHosts(names, { json: true, sshConfig }, io));

/** Writes a file below the directory, by default a new one, and returns its path. */
export function write(name: string, text: string, directory = tempDir('import').path): string {
  const path = join(directory, name);
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, text);
  return path;
}

/** Imports a file of ops-bridge. */
export const bridge = (text: string) => run((io) => importBridge(write('tunnels.yaml', text), { json: true }, io));

/** The text of a unit. */
export const unit = (command: string, more = '') => `[Service]\n${more}\nExecStart=${command}\n`;
