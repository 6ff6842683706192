import { repeat } from '../../base/async/repeat.ts';
import type { Logger } from '../../telemetry/log/log.ts';
import type { Notifier } from './notifier.ts';
import { type Vitals, watchdogVerdict } from './watchdog.ts';

export interface UnitOptions {
  /** After so many milliseconds without a word systemd restarts this process; undefined when it does not watch. */
  readonly watchdogMs: number | undefined;
}

export interface UnitDependencies {
  readonly notifier: Notifier;
  readonly log: Logger;
  /** One line on how things stand. */
  statusLine(): string;
  vitals(): Vitals;
}

const STATUS_MS = 1_000;
/** Words to the watchdog within its time: a late timer or a lost message must not look like a hang. */
const PETS = 3;

/** While connections may finish, systemd is asked this often for more time, and for this much. */
const EXTEND_EVERY_MS = 5_000;
const EXTENSION_MS = 15_000;

/** What the systemd unit that this process is gets to hear about it, and when (sd_notify(3)). */
export class Unit {
  readonly #options: UnitOptions;
  readonly #deps: UnitDependencies;
  /** Aborts when the stop begins; during one systemd does not look at the watchdog. */
  readonly #ending = new AbortController();
  readonly #over = new AbortController();
  #withheld = false;

  constructor(options: UnitOptions, deps: UnitDependencies) {
    this.#options = options;
    this.#deps = deps;
  }

  /** The configuration is applied and everything bound that can be. A peer that is away does not delay this. */
  started(): void {
    const { notifier } = this.#deps;
    if (notifier.via === undefined) return;
    this.#tellStatus();
    notifier.ready();
    this.#every(STATUS_MS, () => this.#tellStatus(), this.#over.signal);
    const { watchdogMs } = this.#options;
    if (watchdogMs !== undefined) this.#every(watchdogMs / PETS, () => this.#pet(watchdogMs), this.#ending.signal);
  }

  /** Whatever comes of it: a reload that is refused leaves the daemon as ready as it was. */
  async reloading<T>(task: () => Promise<T>): Promise<T> {
    const { notifier } = this.#deps;
    notifier.reloading();
    try {
      return await task();
    } finally {
      if (!this.#over.signal.aborted) this.#tellStatus();
      notifier.ready();
    }
  }

  /** From now on systemd counts TimeoutStopSec, which must not cut `graceMs` short. A hang gets no extension. */
  stopping(graceMs: number): void {
    this.#ending.abort();
    const { notifier } = this.#deps;
    const until = performance.now() + graceMs;
    const extend = () => {
      if (performance.now() < until) notifier.extendTimeout(EXTENSION_MS);
    };
    notifier.stopping();
    extend();
    this.#every(EXTEND_EVERY_MS, extend, this.#over.signal);
  }

  /** Everything has ended; settles when systemd has been told all of it. */
  async stopped(): Promise<void> {
    this.#over.abort();
    await this.#deps.notifier.flush();
  }

  #every(ms: number, task: () => void, signal: AbortSignal): void {
    void repeat(
      async () => task(),
      () => ms,
      signal,
    );
  }

  #tellStatus(): void {
    this.#deps.notifier.status(this.#deps.statusLine());
  }

  #pet(limitMs: number): void {
    const verdict = watchdogVerdict(this.#deps.vitals(), limitMs);
    if (verdict.pet) this.#deps.notifier.watchdog();
    else if (!this.#withheld) {
      this.#deps.log.fatal(
        { event: 'watchdog.withheld', reason: verdict.reason },
        `${verdict.reason}: unless that changes, systemd restarts this daemon within ${Math.round(limitMs / 1_000)} s`,
      );
    }
    this.#withheld = !verdict.pet;
  }
}
