import { readFile } from 'node:fs/promises';
import { homedir, userInfo } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { printable } from '../../base/text/printable.ts';
import type { Config } from '../../config/config.ts';
import { DURATION_EXPECTED, formatDuration, parseDuration } from '../../config/duration.ts';
import { ConfigError, formatProblem } from '../../config/problem.ts';
import { carryOut, goBack } from '../../machine/install/carry-out.ts';
import { NodeExecutor } from '../../machine/install/execute.ts';
import { Surveyor } from '../../machine/install/gather.ts';
import { type Places, systemPlaces, userPlaces } from '../../machine/install/places.ts';
import { type InstallPlan, planInstall } from '../../machine/install/plan.ts';
import { NotPacked } from '../../machine/install/release.ts';
import { wayBack } from '../../machine/install/way-back.ts';
import type { Status } from '../../telemetry/status/status.ts';
import { account } from './account.ts';
import { type CommandIo, EXIT, type ExitCode } from './command.ts';
import { InstallReport } from './install-report.ts';
import { lookAt, observeRelease, recordObserved } from './observe-release.ts';

export interface PlaceOptions {
  /** Install for the current user, not for the system. */
  readonly user: boolean;
  /** Only show the steps. */
  readonly dryRun: boolean;
  readonly json: boolean;
}

export interface InstallCommandOptions extends PlaceOptions {
  /** A configuration for a node that has none. */
  readonly config?: string | undefined;
  readonly rollback: boolean;
  readonly skipDoctor: boolean;
  /** As written, e.g. `60s`. */
  readonly timeout: string;
  /** How long the new release is watched before its promotion, as written; undefined: not at all. */
  readonly observe?: string | undefined;
}

/** The options of an installation, with durations in milliseconds. */
interface Wanted extends InstallCommandOptions {
  readonly timeoutMs: number;
  readonly observeMs: number | undefined;
}

export type InstallIo = CommandIo & { readonly env: NodeJS.ProcessEnv; readonly signal: AbortSignal };

/** The user and the paths of an installation. `env` leads `systemctl --user` to the right manager. */
export interface Subject {
  readonly places: Places;
  readonly user: string;
  readonly env: NodeJS.ProcessEnv;
}

export function subjectOf({ user }: PlaceOptions, env: NodeJS.ProcessEnv): Subject {
  const { username, uid } = userInfo();
  if (!user) return { places: systemPlaces(), user: username, env };
  // An ssh login may have no XDG_RUNTIME_DIR.
  const { XDG_RUNTIME_DIR, HOME } = env;
  const runtime = XDG_RUNTIME_DIR || `/run/user/${uid}`;
  const places = userPlaces(HOME || homedir(), runtime);
  return { places, user: username, env: { ...env, XDG_RUNTIME_DIR: runtime } };
}

/**
 * `fleet-mesh install`: installs the release of this program on this node. A failure leaves the node unchanged.
 * Called by scripts/install-node, which packs the release.
 */
export async function install(options: InstallCommandOptions, io: InstallIo): Promise<ExitCode> {
  const timeoutMs = parseDuration(options.timeout);
  if (timeoutMs === undefined) {
    io.err(`fleet-mesh: expected --timeout with ${DURATION_EXPECTED}\n`);
    return EXIT.usage;
  }
  const observeMs = options.observe === undefined ? undefined : parseDuration(options.observe);
  if (options.observe !== undefined && (observeMs === undefined || options.rollback)) {
    io.err(
      `fleet-mesh: ${options.rollback ? '--observe and --rollback exclude each other' : `expected --observe with ${DURATION_EXPECTED}`}\n`,
    );
    return EXIT.usage;
  }
  // Other users must be able to read the files.
  process.umask(0o022);
  const subject = subjectOf(options, io.env);
  const report = new InstallReport(io, options.json);
  try {
    if (options.rollback) return await rollback(subject, options.dryRun, report);
    return await installRelease(subject, { ...options, timeoutMs, observeMs }, report, io.signal);
  } catch (error) {
    if (error instanceof NotPacked) return refuse([error.message], report);
    if (!(error instanceof ConfigError)) throw error;
    for (const problem of error.problems) report.problem(formatProblem(problem));
    report.problem('nothing was changed');
    return report.end(EXIT.configuration, false);
  }
}

async function installRelease(
  subject: Subject,
  options: Wanted,
  report: InstallReport,
  signal: AbortSignal,
): Promise<ExitCode> {
  const { places, user, env } = subject;
  const tree = fileURLToPath(new URL('../../..', import.meta.url));
  const facts = await new Surveyor(subject).survey({ tree, configFile: options.config });
  if ('problems' in facts) return refuse(facts.problems, report);
  const plan = planInstall(facts, options);
  if ('problems' in plan) return refuse(plan.problems, report);
  const kept = facts.newConfig === undefined ? await keptNote(options.config, places.config) : undefined;
  if (kept !== undefined) report.note(kept.note);
  const steps = [...plan.files, ...plan.doctor, ...plan.switch, ...plan.tidy];
  if (steps.length === 0) {
    report.note('nothing to do');
    return report.end(EXIT.ok, false);
  }
  if (options.dryRun) return report.shown(steps, plan.notes);
  const otherSockets = socketsOf(facts.record?.units ?? []);
  const { config } = facts;
  const before = config === undefined ? undefined : await lookAt(config, new AbortController().signal);
  const back = wayBack(places, plan.before, { failed: true, user, otherSockets });
  const carried = await carryOut(plan, back, new NodeExecutor(env), report.step, signal);
  if (!carried.ok) {
    report.problem(`not installed: ${carried.why}`);
    for (const left of carried.left) report.problem(`not undone: ${left}`);
    return report.end(EXIT.failed, carried.left.length > 0);
  }
  for (const note of plan.notes) report.note(note);
  if (options.observeMs !== undefined && config !== undefined) {
    const upgrade = { subject, config, release: facts.release.id, previous: facts.record?.release ?? null };
    const seen = before !== undefined && 'status' in before ? before.status : undefined;
    if (!(await promote(upgrade, plan, seen, options.observeMs, report, signal))) return report.end(EXIT.failed, true);
  }
  const called = facts.commandTaken ? join(places.library, 'dist/cli.js') : calledAs(places.command, env);
  report.note(
    `${facts.release.id} is installed${facts.config === undefined ? '' : `: \`${called} status\` shows its state`}`,
  );
  // Once more where an operator looks: at the end.
  if (kept?.differs) report.note(kept.note);
  return report.end(EXIT.ok, true);
}

/** What to say about an installed configuration that wins over the given one; undefined if none was given. */
async function keptNote(
  given: string | undefined,
  installed: string,
): Promise<{ note: string; differs: boolean } | undefined> {
  if (given === undefined) return undefined;
  const [one, other] = await Promise.all([given, installed].map((path) => readFile(path).catch(() => undefined)));
  const differs = one === undefined || !other?.equals(one);
  const fix = differs ? `. ${given} differs and is not in use: edit ${installed}, then \`fleet-mesh reload\`` : '';
  return { note: `${installed} exists already and was not changed${fix}`, differs };
}

/** The name alone, if the shell finds the program by its name. */
function calledAs(command: string, { PATH = '' }: NodeJS.ProcessEnv): string {
  return PATH.split(':').includes(dirname(command)) ? basename(command) : command;
}

interface Upgrade {
  readonly subject: Subject;
  readonly config: Config;
  readonly release: string;
  readonly previous: string | null;
}

/** Watches the new release, and promotes the release or restores the state before. Returns whether the release stays. */
async function promote(
  { subject, config, release, previous }: Upgrade,
  plan: InstallPlan,
  before: Status | undefined,
  observeMs: number,
  report: InstallReport,
  signal: AbortSignal,
): Promise<boolean> {
  report.note(`observing ${release} for ${formatDuration(observeMs)}; Ctrl-C rolls back`);
  const begun = performance.now();
  const judgement = await observeRelease({ config, observeMs, before, required: plan.watched }, signal);
  const observed = Math.round(performance.now() - begun);
  const reasons = judgement.kind === 'promoted' ? [] : [...judgement.reasons];
  if (judgement.kind === 'rolled_back') {
    for (const reason of reasons) report.problem(`${release} is not promoted: ${reason}`);
    await rollback(subject, false, report);
  }
  const outcome = {
    outcome: judgement.kind,
    release,
    previous,
    reasons,
    observed_ms: observed,
    user: account(subject.env),
  };
  const evidence = await recordObserved(config.controlSocket, outcome);
  report.note(
    evidence.recorded
      ? `release.${judgement.kind} is in the evidence, up to entry ${evidence.seq}`
      : `release.${judgement.kind} is not in the evidence: ${printable(evidence.reason)}`,
  );
  return judgement.kind === 'promoted';
}

/** Restores the state before the last installation: program, units, and replaced ssh units. */
async function rollback(subject: Subject, dryRun: boolean, report: InstallReport): Promise<ExitCode> {
  const { places, user, env } = subject;
  const record = await new Surveyor(subject).record();
  if (record?.before == null) {
    report.note('nothing to roll back');
    return report.end(EXIT.ok, false);
  }
  const otherSockets = socketsOf(record.units);
  const { stop, files, start } = wayBack(places, record.before, { failed: false, user, otherSockets });
  const steps = [...stop, ...files, ...start];
  const kept = record.before.turned_lingering_on
    ? [`kept: lingering of ${user} (\`loginctl disable-linger ${user}\` ends it)`]
    : [];
  if (dryRun) return report.shown(steps, kept);
  const failures = await goBack(steps, new NodeExecutor(env), report.step);
  for (const failure of failures) report.problem(failure);
  if (failures.length > 0) return report.end(EXIT.failed, true);
  for (const each of kept) report.note(each);
  report.note(`${record.release} is rolled back`);
  return report.end(EXIT.ok, true);
}

function socketsOf(units: readonly string[]): string[] {
  return units.filter((unit) => unit.endsWith('.socket'));
}

function refuse(problems: readonly string[], report: InstallReport): ExitCode {
  for (const problem of problems) report.problem(problem);
  report.problem('nothing was changed');
  return report.end(EXIT.failed, false);
}
