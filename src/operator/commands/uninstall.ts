import { existsSync } from 'node:fs';
import { ConfigError, formatProblem } from '../../config/problem.ts';
import { goBack } from '../../machine/install/carry-out.ts';
import { NodeExecutor } from '../../machine/install/execute.ts';
import { Surveyor } from '../../machine/install/gather.ts';
import { planUninstall } from '../../machine/install/uninstall.ts';
import { EXIT, type ExitCode } from './command.ts';
import { type InstallIo, type PlaceOptions, subjectOf } from './install.ts';
import { InstallReport } from './install-report.ts';

export interface UninstallCommandOptions extends PlaceOptions {
  /** Also remove configuration, keys and state. */
  readonly purge: boolean;
}

/** `fleet-mesh uninstall`: removes the installed files, and lists what stays. */
export async function uninstall(options: UninstallCommandOptions, io: InstallIo): Promise<ExitCode> {
  const subject = subjectOf(options, io.env);
  const { places, user, env } = subject;
  const report = new InstallReport(io, options.json);
  const surveyor = new Surveyor(subject);
  const record = await surveyor.record().catch((error: unknown) => {
    if (error instanceof ConfigError) return error;
    throw error;
  });
  if (record instanceof ConfigError) {
    for (const problem of record.problems) report.problem(formatProblem(problem));
    report.problem('nothing was changed');
    return report.end(EXIT.configuration, false);
  }
  if (record === undefined) {
    report.note('nothing to do: there is no installation by scripts/install-node');
    return report.end(EXIT.ok, false);
  }
  if (places.scope === 'system' && process.geteuid?.() !== 0) {
    report.problem('only root can uninstall for the system: run as root, or use --user');
    return report.end(EXIT.failed, false);
  }
  const present = new Set([places.configDirectory, ...places.state].filter((path) => existsSync(path)));
  const dropIns = await surveyor.dropIns();
  const { steps, kept } = planUninstall({ places, record, user, present, dropIns }, options.purge);
  const keeps = kept.map((each) => `kept: ${each}`);
  if (options.dryRun) return report.shown(steps, keeps);
  const failures = await goBack(steps, new NodeExecutor(env), report.step);
  for (const failure of failures) report.problem(failure);
  for (const each of keeps) report.note(each);
  return report.end(failures.length === 0 ? EXIT.ok : EXIT.failed, true);
}
