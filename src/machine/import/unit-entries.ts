import { readRegular } from '../../base/files/regular-file.ts';
import { follow } from './follow.ts';
import { environmentFilesOf, readUnit, type UnitContext, type UnitImport } from './unit.ts';

/**
 * The ssh commands of a unit, with what ssh would read besides: EnvironmentFile= and ssh_config. `text` is the unit with its
 * drop-ins, `sshConfig` another ssh_config.
 */
export async function entriesOfUnit(
  path: string,
  text: string,
  context: UnitContext,
  sshConfig?: string,
): Promise<UnitImport> {
  const { texts, failures } = await environmentOf(path, text, context);
  const unit = readUnit(path, text, { ...context, environmentFiles: texts });
  const entries = unit.entries.map((entry) => ({ ...entry, configFile: sshConfig ?? entry.configFile }));
  return {
    entries: await Promise.all(entries.map((entry) => follow(entry, context.user, sshConfig !== undefined))),
    failures: [...failures, ...unit.failures],
  };
}

async function environmentOf(unit: string, text: string, context: UnitContext) {
  const texts = new Map<string, string>();
  const failures: string[] = [];
  for (const { path, optional } of environmentFilesOf(unit, text, context)) {
    try {
      texts.set(path, (await readRegular(path)).toString('utf8'));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (!optional || code !== 'ENOENT') failures.push(`${unit}: EnvironmentFile=${path} cannot be read (${code}).`);
    }
  }
  return { texts, failures };
}
