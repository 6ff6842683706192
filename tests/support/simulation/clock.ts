import { endTurn } from './event-loop.ts';

const real = {
  setImmediate: globalThis.setImmediate,
  setTimeout: globalThis.setTimeout,
  clearTimeout: globalThis.clearTimeout,
  Date: globalThis.Date,
  now: performance.now,
  hrtime: process.hrtime.bigint,
};

/** A moment of the wall clock at the true time zero. */
const EPOCH = real.Date.parse('2026-11-21T12:00:00.000Z');

interface Timer {
  readonly at: number;
  readonly order: number;
  readonly owner: 'process' | 'world';
  run(): void;
}

/**
 * The time of a simulated world. `now` is the true time in milliseconds: it never jumps. The wall clock and the monotonic
 * clock of the process follow it, each with its own zero. While installed, the global clocks and timers are these.
 */
export class SimClock {
  now = 0;
  /** What the wall clock is wrong by, in milliseconds. */
  wallOffMs = 0;
  /** Whether uptime is counted by the wall clock: a planted bug. */
  trustsWallClock = false;
  #bornAt = 0;
  #bornOn = 0;
  #bootedAt = 0;
  #order = 0;
  /** Sorted by time, then by order. */
  readonly #timers: Timer[] = [];

  get wall(): number {
    return EPOCH + this.now + this.wallOffMs;
  }

  /** Runs a task of the world, which outlives processes. */
  after(ms: number, run: () => void): () => void {
    return this.#add(ms, 'world', run);
  }

  /** The process ended: its timers do nothing any more. The next one begins at uptime zero. */
  endProcess(): void {
    const kept = this.#timers.filter(({ owner }) => owner === 'world');
    this.#timers.splice(0, this.#timers.length, ...kept);
    this.#bornAt = this.now;
    this.#bornOn = this.wall;
  }

  /** The machine reboots: the monotonic clock that its processes share restarts at zero. */
  boot(): void {
    this.#bootedAt = this.now;
  }

  /** Lets time pass, event by event. */
  async run(ms: number): Promise<void> {
    const until = this.now + ms;
    for (;;) {
      await this.#turn();
      const next = this.#timers[0];
      if (!next || next.at > until) break;
      this.#timers.shift();
      this.now = Math.max(this.now, next.at);
      next.run();
    }
    await this.settle();
    this.now = until;
  }

  /** Lets time pass without the process, as SIGSTOP does. */
  async freeze(ms: number): Promise<void> {
    const until = this.now + ms;
    for (;;) {
      await this.settle();
      const index = this.#timers.findIndex(({ at, owner }) => owner === 'world' && at <= until);
      const [next] = index < 0 ? [] : this.#timers.splice(index, 1);
      if (!next) break;
      this.now = Math.max(this.now, next.at);
      next.run();
    }
    this.now = until;
  }

  /** Settles when nothing can go on without time passing. */
  async settle(): Promise<void> {
    // A few pieces wait for one turn of the event loop themselves.
    for (let turns = 0; turns < 3; turns++) await this.#turn();
  }

  #turn(): Promise<void> {
    return new Promise(endTurn);
  }

  /** Replaces the global clocks and timers until the returned function is called. */
  install(): () => void {
    installed = this;
    this.#bornOn = this.wall;
    Object.assign(globalThis, SIMULATED);
    process.hrtime.bigint = hrtime;
    performance.now = uptime;
    return () => {
      const { now, hrtime: bigint, ...globals } = real;
      Object.assign(globalThis, globals);
      performance.now = now;
      process.hrtime.bigint = bigint;
      installed = undefined;
    };
  }

  /** Milliseconds since the start of the process, by the clock that the daemon takes for monotonic. */
  get uptimeMs(): number {
    return this.trustsWallClock ? this.wall - this.#bornOn : this.now - this.#bornAt;
  }

  get sinceBootMs(): number {
    return this.now - this.#bootedAt;
  }

  /** A timer of the process, as setTimeout makes it. */
  setTimer(ms: number, run: () => void): { readonly cancel: () => void; unref(): void; ref(): void } {
    return { cancel: this.#add(Math.max(1, ms), 'process', run), unref: nothing, ref: nothing };
  }

  #add(ms: number, owner: Timer['owner'], run: () => void): () => void {
    const timer: Timer = { at: this.now + ms, order: this.#order++, owner, run };
    let low = 0;
    let high = this.#timers.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#timers[middle] as Timer).at <= timer.at) low = middle + 1;
      else high = middle;
    }
    this.#timers.splice(low, 0, timer);
    return () => {
      const index = this.#timers.indexOf(timer);
      if (index >= 0) this.#timers.splice(index, 1);
    };
  }
}

/** The clock of this run. The functions are the same in all runs: the compiler has learned them. */
let installed: SimClock | undefined;

function clock(): SimClock {
  if (!installed) throw new Error('no clock is installed');
  return installed;
}

function nothing(): void {}

class SimDate extends real.Date {
  constructor(...parts: unknown[]) {
    if (parts.length === 0) super(clock().wall);
    else super(...(parts as [number]));
  }

  static override now(): number {
    return clock().wall;
  }
}

const SIMULATED = {
  Date: SimDate,
  setTimeout: (run: (...args: unknown[]) => void, ms = 0, ...args: unknown[]) =>
    clock().setTimer(ms, args.length === 0 ? run : () => run(...args)),
  clearTimeout: (timer: { cancel?(): void } | undefined) => timer?.cancel?.(),
  setImmediate: (run: (...args: unknown[]) => void, ...args: unknown[]) => endTurn(() => run(...args)),
};

function uptime(): number {
  return clock().uptimeMs;
}

function hrtime(): bigint {
  return BigInt(Math.round(clock().sinceBootMs)) * 1_000_000n;
}
