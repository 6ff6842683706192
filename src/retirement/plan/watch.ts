import { stat } from 'node:fs/promises';
import { type Repeating, repeat } from '../../base/async/repeat.ts';
import { Turns } from '../../base/async/turns.ts';
import { errnoOf, messageOf } from '../../base/errors.ts';
import { ConfigError, formatProblem } from '../../config/problem.ts';
import type { TakeNote } from '../../telemetry/happening.ts';
import type { Logger } from '../../telemetry/log/log.ts';
import { type Tell, teller } from '../../telemetry/tell.ts';
import { loadPlan } from './load.ts';
import type { Plan } from './plan.ts';
import { type DrainingTunnel, type PlanView, viewPlan } from './view.ts';

/** The result of the last read of the plan file. */
export interface PlanLoad {
  readonly ok: boolean;
  readonly at: Date;
  /** Why the plan is invalid, in one line. */
  readonly error: string | null;
}

/** The plan that the configuration names. */
export interface WatchedPlan {
  readonly path: string;
  /** The plan in force: the last valid one. Undefined if none was valid. */
  readonly plan: Plan | undefined;
  /** When the plan in force was read. */
  readonly loadedAt: Date | undefined;
  readonly lastLoad: PlanLoad;
}

/** Polling costs one stat call a second, and works on any file system and with any editor. */
const POLL_MS = 1_000;

/**
 * Follows the plan file. A valid change is in force within about two seconds; an invalid change is reported and ignored. The
 * daemon starts and runs with an invalid plan: tunnels do not need a plan.
 */
export class PlanWatch {
  readonly #tell: Tell;
  readonly #pauseMs: () => number;
  #watched: WatchedPlan | undefined;
  /** Fingerprint of the file at the last read, and at the last poll. */
  #read = '';
  #seen = '';
  readonly #turns = new Turns();
  #refreshing: Promise<void> | undefined;
  #polling: Repeating | undefined;

  /** @param pauseMs pause between two polls, in milliseconds */
  constructor(log: Logger, note: TakeNote, pauseMs = () => POLL_MS) {
    this.#tell = teller(log, note);
    this.#pauseMs = pauseMs;
  }

  /** Undefined if the configuration names no plan. */
  get watched(): WatchedPlan | undefined {
    return this.#watched;
  }

  /** The view of the plan in force for these tunnels; undefined if no plan is in force. */
  view(tunnels: Iterable<DrainingTunnel>, now: Date): PlanView | undefined {
    const plan = this.#watched?.plan;
    return plan && viewPlan(plan, tunnels, now);
  }

  /** Polls the file until the signal aborts; see {@link done}. */
  start(signal: AbortSignal): void {
    this.#polling = repeat(() => this.#turns.take(() => this.#poll()), this.#pauseMs, signal);
  }

  /** Settles after the signal of {@link start} has aborted and the last poll has ended. */
  get done(): Promise<void> {
    return this.#polling?.done ?? Promise.resolve();
  }

  /** Reads this file now and follows it from now on; undefined removes the plan. Never rejects. */
  follow(path: string | undefined): Promise<void> {
    return this.#turns.take(async () => {
      if (path === undefined) {
        this.#watched = undefined;
        return;
      }
      // A plan from another path does not stay in force.
      if (this.#watched?.path !== path) this.#watched = undefined;
      this.#read = this.#seen = await fingerprint(path);
      await this.#load(path);
    });
  }

  /**
   * Reads the file again if it has changed since the last read: an answer that a person acts on must not be older than the
   * file. Never rejects.
   */
  refresh(): Promise<void> {
    // One look serves all who ask before it begins: on a disk that hangs they do not pile up.
    this.#refreshing ??= this.#turns.take(async () => {
      this.#refreshing = undefined;
      if (this.#watched === undefined) return;
      const { path } = this.#watched;
      const now = await fingerprint(path);
      if (now === this.#read) return;
      this.#read = this.#seen = now;
      await this.#load(path);
    });
    return this.#refreshing;
  }

  async #poll(): Promise<void> {
    if (this.#watched === undefined) return;
    const { path } = this.#watched;
    const now = await fingerprint(path);
    // An editor may still be writing: read the file when two polls saw the same.
    const settled = now === this.#seen;
    this.#seen = now;
    if (!settled || now === this.#read) return;
    this.#read = now;
    await this.#load(path);
  }

  async #load(path: string): Promise<void> {
    const at = new Date();
    const before = this.#watched?.plan;
    try {
      const plan = await loadPlan(path);
      this.#watched = { path, plan, loadedAt: at, lastLoad: { ok: true, at, error: null } };
      if (plan.sha256 === before?.sha256) return;
      const event = before === undefined ? 'plan.loaded' : 'plan.changed';
      const changes = describeChange(before, plan);
      const hashes = { sha256: plan.sha256, sha256_before: before?.sha256 ?? null };
      this.#tell({ event, plan: path, ...hashes, changes }, changes);
    } catch (error) {
      this.#refuse(path, error, at);
    }
  }

  #refuse(path: string, error: unknown, at: Date): void {
    const problems = error instanceof ConfigError ? error.problems.map(formatProblem) : [];
    const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : '';
    const reason = `${problems[0] ?? messageOf(error)}${more}`;
    const { plan, loadedAt } = this.#watched ?? {};
    this.#watched = { path, plan, loadedAt, lastLoad: { ok: false, at, error: reason } };
    const inForce = plan === undefined ? 'no plan is in force' : 'the previous plan stays in force';
    const fields = { event: 'plan.refused', plan: path, reason };
    this.#tell(
      { ...fields, ...(problems.length > 0 && { problems }) },
      `the plan is invalid, ${inForce}: ${reason}`,
      'error',
    );
  }
}

/** Changes with the file: after a write, a rename over it, or another target of a symbolic link. */
async function fingerprint(path: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
    return [dev, ino, size, mtimeNs, ctimeNs].join();
  } catch (error) {
    return errnoOf(error) ?? 'unknown';
  }
}

/** One line for the log: the new approvals and completions. */
function describeChange(before: Plan | undefined, after: Plan): string {
  const approved = ({ gates }: Plan) => gates.filter((gate) => gate.approved !== undefined).map(({ id }) => id);
  const done = ({ waves }: Plan) =>
    waves.flatMap(({ steps }) => steps.filter((step) => step.done !== undefined).map(({ id }) => id));
  if (before === undefined)
    return `plan loaded: steps done: ${done(after).length}, gates approved: ${approved(after).length}`;
  const news = (now: string[], then: string[]) => now.filter((id) => !then.includes(id));
  const parts = [
    ['gates approved', news(approved(after), approved(before))],
    ['gates closed again', news(approved(before), approved(after))],
    ['steps done', news(done(after), done(before))],
    ['steps open again', news(done(before), done(after))],
  ] as const;
  const changes = parts.flatMap(([what, ids]) => (ids.length === 0 ? [] : [`${what}: ${ids.join(', ')}`]));
  return `plan changed: ${changes.join('; ') || 'no gate or step changed'}`;
}
