import type { TurnedAway } from '../../base/errors.ts';
import type { Logger } from '../../telemetry/log/log.ts';

/** Clients that were turned away are logged once for each reason (a destination, mostly), up to so many reasons. */
const MOST_REASONS_LOGGED = 100;

/** After so long without an error the next one is news again, in milliseconds. */
const QUIET_MS = 10_000;

/** What clients of a tunnel met before there was a connection: it comes by the thousand, and is told by the line. */
export class ClientTrouble {
  readonly #log: Pick<Logger, 'warn' | 'error'>;
  readonly #accepts = new AcceptTrouble();
  readonly #turnedAway = new FirstTime(MOST_REASONS_LOGGED);

  constructor(log: Pick<Logger, 'warn' | 'error'>) {
    this.#log = log;
  }

  turnedAway(error: TurnedAway): void {
    if (!this.#turnedAway.of(error.message)) return;
    this.#log.warn({ event: 'client.turned_away', err: error }, error.message);
  }

  notAccepted(error: Error): void {
    if (!this.#accepts.isNews(performance.now())) return;
    this.#log.error({ event: 'tunnel.accept_failed', err: error }, `a connection was not accepted: ${error.message}`);
  }

  /** Other destinations are allowed from now on: each reason is news again. */
  forgetReasons(): void {
    this.#turnedAway.clear();
  }
}

/** Errors of accepting come by the thousand: only the first of a row is worth a line. */
class AcceptTrouble {
  #lastAt = Number.NEGATIVE_INFINITY;

  /** Whether this error, at `now` as of performance.now(), is the first of its row. */
  isNews(now: number): boolean {
    const news = now - this.#lastAt > QUIET_MS;
    this.#lastAt = now;
    return news;
  }
}

/** Tells what is new from what repeats, for logs that strangers can fill. */
class FirstTime {
  readonly #seen = new Set<string>();
  readonly #most: number;

  /** @param most how many are remembered; once there are so many, nothing is new any more */
  constructor(most: number) {
    this.#most = most;
  }

  /** Whether the text comes for the first time. */
  of(text: string): boolean {
    if (this.#seen.has(text) || this.#seen.size >= this.#most) return false;
    this.#seen.add(text);
    return true;
  }

  clear(): void {
    this.#seen.clear();
  }
}
