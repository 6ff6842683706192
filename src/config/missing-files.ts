import { access } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Config } from './config.ts';
import { CREDENTIALS_OF_THE_UNIT } from './paths.ts';
import { linksOf, settingsOf } from './way.ts';

/** A file that a link needs and that is not there. */
export interface MissingFile {
  /** Where the YAML names it, e.g. `hosts.coulombcore.known_hosts`. */
  readonly path: string;
  readonly message: string;
}

/**
 * The key, passphrase and known_hosts files of the links in use that do not exist here. No mistake of the file: they may
 * come later, or only be there on another machine. Whether the daemon's user may read them is not asked, since that is
 * seldom who asks.
 */
export async function missingFiles(config: Config): Promise<MissingFile[]> {
  const needed = [...linksOf(config).values()].flatMap((link): [path: string, file: string | undefined][] => {
    const { host, actor } = settingsOf(config, link) ?? {};
    const key = actor?.key.kind === 'file' ? actor.key : undefined;
    return [
      [`hosts.${link.host}.known_hosts`, host?.knownHosts],
      [`actors.${link.actor}.key`, key?.path],
      [`actors.${link.actor}.passphrase_file`, key?.passphraseFile],
    ];
  });
  const missing: MissingFile[] = [];
  for (const [path, file] of new Map(needed)) {
    if (file === undefined || dirname(file) === CREDENTIALS_OF_THE_UNIT) continue;
    if (await isMissing(file)) missing.push({ path, message: `${file} does not exist` });
  }
  return missing;
}

async function isMissing(file: string): Promise<boolean> {
  try {
    await access(file);
    return false;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    return code === 'ENOENT' || code === 'ENOTDIR';
  }
}
