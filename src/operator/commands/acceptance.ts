import { didYouMean } from '../../base/text/closest.ts';
import { printable } from '../../base/text/printable.ts';
import { machineHash } from '../../base/this-machine.ts';
import type { Config } from '../../config/config.ts';
import { DURATION_EXPECTED, parseDuration } from '../../config/duration.ts';
import { loadConfig } from '../../config/load.ts';
import { outsideOfUnit } from '../../config/paths.ts';
import { ConfigError, showProblem } from '../../config/problem.ts';
import { fileReport } from '../../retirement/acceptance/file-report.ts';
import { Gathering } from '../../retirement/acceptance/gathering.ts';
import { acceptanceMarkdown } from '../../retirement/acceptance/markdown.ts';
import { planFacts } from '../../retirement/acceptance/plan-facts.ts';
import { type AcceptanceReport, reportOf } from '../../retirement/acceptance/report.ts';
import { parseSince, SINCE_EXPECTED } from '../../retirement/evidence/selection.ts';
import { type Verification, verifyLog } from '../../retirement/evidence/verify.ts';
import { type CommandIo, EXIT, type ExitCode } from './command.ts';

export interface AcceptanceOptions {
  /** Path of the tunnel YAML. */
  readonly config: string;
  /** As written. */
  readonly window: string;
  /** Name of the host that was offline. */
  readonly offline: string;
  /** End of the window, as written; default now. */
  readonly until?: string | undefined;
  /** The directory of the log; by default the `state_dir` that `config` names. */
  readonly dir?: string | undefined;
  /** Directory for the report. */
  readonly out?: string | undefined;
  readonly json: boolean;
}

export type AcceptanceIo = CommandIo & {
  readonly env: NodeJS.ProcessEnv;
  readonly version: string;
  readonly now?: Date;
};

/**
 * `fleet-mesh acceptance`: whether the evidence proves that production ran without a host. Reads
 * only files. Exit code 0: PASS. 1: FAIL. 2: the evidence cannot be read, or the report cannot be written.
 */
export async function acceptance(options: AcceptanceOptions, io: AcceptanceIo): Promise<ExitCode> {
  const { now = new Date() } = io;
  const windowMs = parseDuration(options.window);
  const asOf = options.until === undefined ? now : parseSince(options.until, now);
  if (windowMs === undefined || windowMs === 0) return wrong(io, `expected --window with ${DURATION_EXPECTED}`);
  if (asOf === undefined || asOf > now) return wrong(io, `expected --until with ${SINCE_EXPECTED}, not in the future`);
  let config: Config;
  try {
    config = await loadConfig(options.config, outsideOfUnit(io.env, options.config));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    io.err(`${error.problems.map(showProblem).join('\n')}\n`);
    return EXIT.configuration;
  }
  const { offline } = options;
  if (!config.hosts.has(offline)) {
    const known = [...config.hosts.keys()];
    io.err(
      `fleet-mesh: unknown host "${printable(offline, 80)}"${didYouMean(offline, known)}; hosts: ${known.join(', ')}\n`,
    );
    return EXIT.noSuchTunnel;
  }
  const report = await examine(options.dir ?? config.stateDir, config, { offline, windowMs, asOf }, io);
  if (report === undefined) return EXIT.unknown;
  io.out(options.json ? `${JSON.stringify(report, null, 2)}\n` : acceptanceMarkdown(report));
  if (options.out !== undefined && !(await file(options.out, report, io))) return EXIT.unknown;
  return report.verdict === 'PASS' ? EXIT.ok : EXIT.failed;
}

interface Question {
  readonly offline: string;
  readonly windowMs: number;
  readonly asOf: Date;
}

/** Undefined without readable evidence. */
async function examine(
  directory: string,
  config: Config,
  { offline, windowMs, asOf }: Question,
  { err, version }: AcceptanceIo,
): Promise<AcceptanceReport | undefined> {
  let gathering = new Gathering({ host: offline, windowMs, notAfter: asOf.getTime() });
  let log: Verification;
  try {
    log = await verifyLog(directory, () => {
      gathering = new Gathering({ host: offline, windowMs, notAfter: asOf.getTime() });
      return { entry: (entry, head) => gathering.read(entry, head) };
    });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    return unreadable(err, directory, error.message);
  }
  if (log.files.length === 0) return unreadable(err, directory, 'no log files');
  const plan = await planFacts(config.plan, offline);
  // Evidence in a directory of its own may have been copied here on purpose.
  const machine = directory === config.stateDir ? machineHash() : undefined;
  const facts = { ...gathering.gathered, now: asOf.getTime(), node: config.node, machine, offline, log, plan };
  return reportOf(facts, { node: config.node, version, windowMs });
}

function unreadable(err: CommandIo['err'], directory: string, why: string): undefined {
  const hint = "Run as the daemon's user, or name the directory with --dir.";
  err(`fleet-mesh: cannot read the evidence (${printable(directory)}): ${printable(why)}\n${hint}\n`);
}

async function file(directory: string, report: AcceptanceReport, { err }: CommandIo): Promise<boolean> {
  try {
    const paths = await fileReport(directory, report);
    err(`${paths.map((path) => `wrote ${path}`).join('\n')}\n`);
    return true;
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    err(`fleet-mesh: cannot write the report: ${printable(error.message)}\n`);
    return false;
  }
}

function wrong({ err }: CommandIo, message: string): ExitCode {
  err(`fleet-mesh: ${message}\n`);
  return EXIT.usage;
}
