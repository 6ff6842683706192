import { homedir, userInfo } from 'node:os';
import { fileURLToPath } from 'node:url';
import { DURATION_EXPECTED, parseDuration } from '../config/duration.ts';
import { ConfigError, formatProblem } from '../config/problem.ts';
import { carryOut, goBack } from '../install/carry-out.ts';
import { NodeExecutor } from '../install/execute.ts';
import { Surveyor } from '../install/gather.ts';
import { type Places, systemPlaces, userPlaces } from '../install/places.ts';
import { type InstallPlan, planInstall } from '../install/plan.ts';
import { describeStep, type Step } from '../install/step.ts';
import { type WayBack, wayBack } from '../install/way-back.ts';
import { type CommandIo, EXIT, type ExitCode } from './command.ts';

export interface PlaceOptions {
  /** For whoever runs it, instead of the system. */
  readonly user: boolean;
  /** Shows what would be done. */
  readonly dryRun: boolean;
}

export interface InstallCommandOptions extends PlaceOptions {
  /** A configuration for a node that has none. */
  readonly config?: string | undefined;
  readonly rollback: boolean;
  readonly skipDoctor: boolean;
  /** As written, e.g. `60s`. */
  readonly timeout: string;
}

export type InstallIo = CommandIo & { readonly env: NodeJS.ProcessEnv; readonly signal: AbortSignal };

/** Whom and where an installation is about; the environment is what leads `systemctl --user` there. */
export interface Subject {
  readonly places: Places;
  readonly user: string;
  readonly env: NodeJS.ProcessEnv;
}

export function subjectOf({ user }: PlaceOptions, env: NodeJS.ProcessEnv): Subject {
  const { username, uid } = userInfo();
  if (!user) return { places: systemPlaces(), user: username, env };
  // A login by ssh may have no session of its own.
  const { XDG_RUNTIME_DIR, HOME } = env;
  const runtime = XDG_RUNTIME_DIR || `/run/user/${uid}`;
  const places = userPlaces(HOME || homedir(), runtime);
  return { places, user: username, env: { ...env, XDG_RUNTIME_DIR: runtime } };
}

/**
 * `fleet-mesh install`: makes this node run the release that this program is of. What fails leaves the node as it was. Made
 * to be called by scripts/install-node, which packs the release.
 */
export async function install(options: InstallCommandOptions, io: InstallIo): Promise<ExitCode> {
  const timeoutMs = parseDuration(options.timeout);
  if (timeoutMs === undefined) {
    io.err(`fleet-mesh: expected --timeout with ${DURATION_EXPECTED}\n`);
    return EXIT.usage;
  }
  // Others than the installing user have to read it.
  process.umask(0o022);
  const subject = subjectOf(options, io.env);
  if (options.rollback) return rollback(subject, options, io);
  const surveyor = new Surveyor(subject);
  const say = (line: string) => io.out(`${line}\n`);
  try {
    const tree = fileURLToPath(new URL('../..', import.meta.url));
    const facts = await surveyor.survey({ ...subject, tree, configFile: options.config });
    if ('problems' in facts) return refuse(facts.problems, io);
    const plan = planInstall(facts, { timeoutMs, skipDoctor: options.skipDoctor });
    if ('problems' in plan) return refuse(plan.problems, io);
    if (options.config !== undefined && facts.newConfig === undefined) {
      say(`${subject.places.config} is there already and stays as it is`);
    }
    const steps = [...plan.files, ...plan.doctor, ...plan.switch, ...plan.tidy];
    if (steps.length === 0) {
      say('nothing to do');
      return EXIT.ok;
    }
    if (options.dryRun) {
      show(steps, say);
      tellNotes(plan, say);
      return EXIT.ok;
    }
    const otherSockets = facts.record?.units.filter((unit) => unit.endsWith('.socket')) ?? [];
    const back = wayBack(subject.places, plan.before, { dropConfig: true, otherSockets });
    const carried = await carryOut(plan, back, new NodeExecutor(subject.env), say, io.signal);
    if (!carried.ok) {
      io.err(`fleet-mesh: not installed: ${carried.why}\n`);
      for (const left of carried.left) io.err(`fleet-mesh: could not be undone: ${left}\n`);
      return EXIT.failed;
    }
    tellNotes(plan, say);
    say(`${facts.release.id} is installed`);
    return EXIT.ok;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    io.err(`${error.problems.map(formatProblem).join('\n')}\n`);
    return EXIT.configuration;
  }
}

/** Brings back what was there before the last installation: program, units, and the ssh units that it took over from. */
async function rollback(subject: Subject, options: InstallCommandOptions, io: InstallIo): Promise<ExitCode> {
  const say = (line: string) => io.out(`${line}\n`);
  const record = await new Surveyor(subject).record();
  if (record?.before == null) {
    say('nothing to roll back');
    return EXIT.ok;
  }
  const otherSockets = record.units.filter((unit) => unit.endsWith('.socket'));
  const back: WayBack = wayBack(subject.places, record.before, { dropConfig: false, otherSockets });
  const steps = [...back.stop, ...back.files, ...back.start];
  if (options.dryRun) {
    show(steps, say);
    return EXIT.ok;
  }
  const failures = await goBack(steps, new NodeExecutor(subject.env), say);
  for (const failure of failures) io.err(`fleet-mesh: ${failure}\n`);
  if (failures.length > 0) return EXIT.failed;
  say(`${record.release} is rolled back`);
  return EXIT.ok;
}

function refuse(problems: readonly string[], io: CommandIo): ExitCode {
  for (const problem of problems) io.err(`fleet-mesh: ${problem}\n`);
  io.err('fleet-mesh: nothing was changed\n');
  return EXIT.failed;
}

export function show(steps: readonly Step[], say: (line: string) => void): void {
  for (const step of steps) for (const line of describeStep(step)) say(line);
  say('(--dry-run: nothing was changed)');
}

function tellNotes({ notes }: InstallPlan, say: (line: string) => void): void {
  for (const note of notes) say(`note: ${note}`);
}
