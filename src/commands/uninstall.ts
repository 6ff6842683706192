import { existsSync } from 'node:fs';
import { goBack } from '../install/carry-out.ts';
import { NodeExecutor } from '../install/execute.ts';
import { Surveyor } from '../install/gather.ts';
import { planUninstall } from '../install/uninstall.ts';
import { EXIT, type ExitCode } from './command.ts';
import { type InstallIo, type PlaceOptions, show, subjectOf } from './install.ts';

/** `fleet-mesh uninstall`: removes what `install` has brought, and says what stays. */
export async function uninstall(options: PlaceOptions & { readonly purge: boolean }, io: InstallIo): Promise<ExitCode> {
  const subject = subjectOf(options, io.env);
  const { places, user, env } = subject;
  const say = (line: string) => io.out(`${line}\n`);
  const surveyor = new Surveyor(subject);
  const record = await surveyor.record();
  if (record === undefined) {
    say('nothing to do: there is no installation of scripts/install-node here');
    return EXIT.ok;
  }
  if (places.scope === 'system' && process.geteuid?.() !== 0) {
    io.err('fleet-mesh: only root uninstalls what the system has\n');
    return EXIT.failed;
  }
  const present = new Set([places.configDirectory, ...places.state].filter((path) => existsSync(path)));
  const { steps, kept } = planUninstall({ places, record, user, present }, options.purge);
  if (options.dryRun) show(steps, say);
  else {
    const failures = await goBack(steps, new NodeExecutor(env), say);
    for (const failure of failures) io.err(`fleet-mesh: ${failure}\n`);
    if (failures.length > 0) return EXIT.failed;
  }
  for (const each of kept) if (existsSync(each.split('/ ')[0] ?? '') || !each.startsWith('/')) say(`kept: ${each}`);
  return EXIT.ok;
}
