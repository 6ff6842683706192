import { printable } from '../../../src/base/text/printable.ts';
import { answer } from '../../../src/operator/control/answer.ts';
import type { SimClock } from './clock.ts';
import type { SimDisk } from './disk.ts';
import { HUB } from './fleet.ts';
import type { SimNode } from './node.ts';

/** The requests of `fleet-mesh retire` and `fleet-mesh cutover`. */
export const RETIRE = { command: 'retire', name: HUB, dry_run: false, overrides: [] };
export const CUTOVER = { command: 'cutover', name: HUB, dry_run: false };

/** The name of a look, which is not worth a line of the trace. */
export const DRY_RUN = 'retire --dry-run';

/** The answer of the control socket to a command. */
interface Reply {
  readonly ok: boolean;
  readonly result?: unknown;
  readonly error?: { readonly code: string; readonly message: string };
}

/** A command that was sent, and its answer once there is one. */
export interface Sent {
  readonly what: string;
  readonly order: number;
  readonly at: number;
  readonly reply: Promise<Reply>;
}

/** The parts of the world that an operator meets. */
interface Surroundings {
  readonly clock: SimClock;
  readonly disk: SimDisk;
  /** The daemon that runs now. */
  node(): SimNode;
  say(line: string): void;
}

/** Somebody who gives commands, and remembers what they confirmed. */
export class SimOperator {
  readonly #world: Surroundings;
  #sent = 0;
  #doubtedAt = Number.NEGATIVE_INFINITY;
  /** What a command threw that is no answer. */
  readonly bugs: unknown[] = [];
  /** Commands without an answer yet. */
  readonly pending = new Set<Sent>();
  /** What a command confirmed, and nothing has put in question since. */
  readonly confirmed: { retired?: boolean | undefined; route?: 'tunnel' | 'successor' | undefined } = {};
  /** When `confirmed.retired` was last set. True time, in milliseconds. */
  retiredSince = 0;

  constructor(world: Surroundings) {
    this.#world = world;
  }

  /** Nothing is known for sure any more. */
  doubt(): void {
    this.confirmed.retired = this.confirmed.route = undefined;
    this.doubtPending();
  }

  /** The commands under way confirm nothing: somebody takes away what they have just written. */
  doubtPending(): void {
    this.#doubtedAt = this.#world.clock.now;
  }

  /** Sends a command to the control socket, without waiting for its answer. */
  send(what: string, request: Record<string, unknown>): Sent {
    const { clock } = this.#world;
    const node = this.#world.node();
    const bugs: unknown[] = [];
    const reply = answer(JSON.stringify(request), node.actions, (error) => bugs.push(error)).then((got) => {
      if (bugs.length > 0) throw new Error(`the daemon has a bug: ${String(bugs[0])}`, { cause: bugs[0] });
      return got as Reply;
    });
    const sent: Sent = { what, order: this.#sent++, at: clock.now, reply };
    const alone = this.pending.size === 0;
    for (const field of ['retired', 'route'] as const) if (changes(what, field)) this.confirmed[field] = undefined;
    this.pending.add(sent);
    void reply.then(
      (got) => {
        if (!this.pending.delete(sent) || this.#world.node() !== node) return;
        if (what === DRY_RUN) return;
        const text = got.ok ? JSON.stringify(got.result) : `${got.error?.code}: ${got.error?.message}`;
        this.#world.say(`  ${what} answers ${printable(text, 160)}`);
        if (alone && this.#sent === sent.order + 1) this.#confirm(sent, got);
      },
      (error: unknown) => {
        this.pending.delete(sent);
        if (this.#world.node() === node) this.bugs.push(error);
      },
    );
    return sent;
  }

  #confirm({ what, at }: Sent, { ok, result }: Reply): void {
    const { clock, disk } = this.#world;
    // What a broken disk did not take is written later; an advisory says so.
    if (!ok || disk.fault !== undefined || disk.healedAt >= at || this.#doubtedAt >= at) return;
    const { outcome, done } = (result ?? {}) as { outcome?: string; done?: boolean };
    if (what === 'retire' && done) this.confirmed.retired = true;
    if (what === 'up') this.confirmed.retired = false;
    if (what === 'cutover' && outcome === 'committed') this.confirmed.route = 'successor';
    if (what === 'rollback' && outcome === 'rolled_back') this.confirmed.route = 'tunnel';
    this.retiredSince = clock.now;
  }
}

/** Whether the command may change what an earlier one has confirmed. */
function changes(what: string, field: 'retired' | 'route'): boolean {
  const of = { retired: ['retire', 'up', 'reload'], route: ['cutover', 'rollback', 'up', 'down', 'reload'] };
  return of[field].includes(what);
}
