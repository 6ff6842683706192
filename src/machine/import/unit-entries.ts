import { readRegular } from '../../base/files/regular-file.ts';
import { filesOfPattern } from './file-pattern.ts';
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
      const files = await filesOfPattern(path);
      const read = await Promise.all(files.map((file) => readRegular(file)));
      // Of two files of one pattern, the later one wins.
      if (files.length > 0) texts.set(path, read.map((bytes) => bytes.toString('utf8')).join('\n'));
      if (files.length === 0 && !optional) failures.push(`${unit}: EnvironmentFile=${path} names no file.`);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (!optional || code !== 'ENOENT') failures.push(`${unit}: EnvironmentFile=${path} cannot be read (${code}).`);
    }
  }
  return { texts, failures };
}
