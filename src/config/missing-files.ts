import { access } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Config, ProbeCheck } from './config.ts';
import { CREDENTIALS_OF_THE_UNIT } from './paths.ts';
import { linksOf, settingsOf } from './way.ts';

/** A file that a link needs, and that the daemon cannot use. */
export interface FileWarning {
  /** The YAML key of the file, such as `hosts.coulombcore.known_hosts`. */
  readonly path: string;
  readonly message: string;
}

/**
 * The missing key, passphrase and known_hosts files of the links in use, CA files of probes, and token files of webhooks. A
 * missing file is no configuration mistake: it may come later, or exist only on another machine. Read permission is not checked, because another user than the
 * daemon user usually runs this check.
 */
export async function missingFiles(config: Config): Promise<FileWarning[]> {
  const needed = [...linksOf(config).values()].flatMap((link): [path: string, file: string | undefined][] => {
    const { host, actor } = settingsOf(config, link) ?? {};
    const key = actor?.key.kind === 'file' ? actor.key : undefined;
    return [
      [`hosts.${link.host}.known_hosts`, host?.knownHosts],
      [`actors.${link.actor}.key`, key?.path],
      [`actors.${link.actor}.passphrase_file`, key?.passphraseFile],
      [`actors.${link.actor}.fallback.key`, actor?.fallback?.key.path],
    ];
  });
  for (const [name, { probe, drain }] of config.tunnels) {
    const caOf = (check: ProbeCheck | undefined) => (check?.kind === 'https' ? check.ca : undefined);
    needed.push([`tunnels.${name}.probe.https.ca`, caOf(probe?.check)]);
    needed.push([`tunnels.${name}.drain.successor.probe.https.ca`, caOf(drain?.successor?.probe.check)]);
  }
  config.notify.forEach(({ secretFile }, index) => void needed.push([`notify[${index}].secret_file`, secretFile]));
  const missing: FileWarning[] = [];
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
