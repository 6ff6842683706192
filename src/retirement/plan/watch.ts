import { stat } from 'node:fs/promises';
import { type Repeating, repeat } from '../../base/async/repeat.ts';
import { Turns } from '../../base/async/turns.ts';
import { errnoOf, messageOf } from '../../base/errors.ts';
import { ConfigError, formatProblem } from '../../config/problem.ts';
import type { Logger } from '../../telemetry/log/log.ts';
import { loadPlan } from './load.ts';
import type { Plan } from './plan.ts';
import { type DrainingTunnel, type PlanView, viewPlan } from './view.ts';

/** How the plan file was found the last time it was read. */
export interface PlanLoad {
  readonly ok: boolean;
  readonly at: Date;
  /** Why it could not be used, in one line. */
  readonly error: string | null;
}

/** What there is of a plan that the configuration names. */
export interface WatchedPlan {
  readonly path: string;
  /** The plan in force: what could last be used. Undefined while nothing could. */
  readonly plan: Plan | undefined;
  /** When the plan in force was read. */
  readonly loadedAt: Date | undefined;
  readonly lastLoad: PlanLoad;
}

/** A stat is a system call a second: nobody notices, whatever file system the plan is on and however it is edited. */
const POLL_MS = 1_000;

/**
 * Follows the plan file: a change that can be used is in force within about two seconds, one that cannot be used changes nothing
 * and is told. Nothing of this can end the daemon, or keep it from starting: tunnels do not need a plan to carry.
 */
export class PlanWatch {
  readonly #log: Logger;
  readonly #pauseMs: () => number;
  #watched: WatchedPlan | undefined;
  /** What the file looked like when it was read, and at the last look. */
  #read = '';
  #seen = '';
  readonly #turns = new Turns();
  #polling: Repeating | undefined;

  /** @param pauseMs between two looks at the file */
  constructor(log: Logger, pauseMs = () => POLL_MS) {
    this.#log = log;
    this.#pauseMs = pauseMs;
  }

  /** Undefined: the configuration names no plan. */
  get watched(): WatchedPlan | undefined {
    return this.#watched;
  }

  /** The plan in force, with what follows from it for these tunnels; undefined while there is none. */
  view(tunnels: Iterable<DrainingTunnel>, now: Date): PlanView | undefined {
    const plan = this.#watched?.plan;
    return plan && viewPlan(plan, tunnels, now);
  }

  /** Looks at the file from time to time until the signal aborts; see {@link done}. */
  start(signal: AbortSignal): void {
    this.#polling = repeat(() => this.#turns.take(() => this.#poll()), this.#pauseMs, signal);
  }

  /** Settles when the signal of {@link start} has aborted and the last look is over. */
  get done(): Promise<void> {
    return this.#polling?.done ?? Promise.resolve();
  }

  /** Reads this file now, and follows it from now on; without one, there is no plan any more. Never rejects. */
  follow(path: string | undefined): Promise<void> {
    return this.#turns.take(async () => {
      if (path === undefined) {
        this.#watched = undefined;
        return;
      }
      // A plan of another file says nothing about this one.
      if (this.#watched?.path !== path) this.#watched = undefined;
      this.#read = this.#seen = await look(path);
      await this.#load(path);
    });
  }

  async #poll(): Promise<void> {
    if (this.#watched === undefined) return;
    const { path } = this.#watched;
    const now = await look(path);
    // Somebody may be in the middle of writing it: it is read when it has looked the same twice.
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
      this.#log.info({ event, plan: path, sha256: plan.sha256 }, describeChange(before, plan));
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
    const stays = plan === undefined ? 'there is no plan until it can' : 'the plan before it stays in force';
    this.#log.error(
      { event: 'plan.refused', plan: path, ...(problems.length > 0 ? { problems } : { err: error }) },
      `the plan cannot be used, ${stays}: ${reason}`,
    );
  }
}

/** What changes whenever the file does: a rename into its place, a write, another target of a symbolic link. */
async function look(path: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
    return [dev, ino, size, mtimeNs, ctimeNs].join();
  } catch (error) {
    return errnoOf(error) ?? 'unknown';
  }
}

/** One line for the log: what is newly approved and done. */
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
  const told = parts.flatMap(([what, ids]) => (ids.length === 0 ? [] : [`${what}: ${ids.join(', ')}`]));
  return `plan changed: ${told.join('; ') || 'no gate and no step'}`;
}
