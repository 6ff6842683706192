import type { TurnedAway } from '../../base/errors.ts';
import type { Logger } from '../../telemetry/log/log.ts';

/** A rejected client is logged once for each reason (mostly a destination), up to this many reasons. */
const MOST_REASONS_LOGGED = 100;

/** After this long without an error, the next error is logged again; in milliseconds. */
const QUIET_MS = 10_000;

/** Logs the errors of clients before their connection opens. Thousands of errors give a few lines. */
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
    this.#log.error(
      { event: 'tunnel.accept_failed', err: error },
      `cannot accept a client connection: ${error.message}`,
    );
  }

  /** The allowed destinations changed: logs each reason again. */
  forgetReasons(): void {
    this.#turnedAway.clear();
  }
}

/** Accept errors come by the thousand: only the first of a row is logged. */
class AcceptTrouble {
  #lastAt = Number.NEGATIVE_INFINITY;

  /** Whether this error, at `now` as of performance.now(), is the first of its row. */
  isNews(now: number): boolean {
    const news = now - this.#lastAt > QUIET_MS;
    this.#lastAt = now;
    return news;
  }
}

/** Finds texts that were not seen before, so that strangers cannot fill the log. */
class FirstTime {
  readonly #seen = new Set<string>();
  readonly #most: number;

  /** @param most how many texts are remembered; after that, no text counts as new */
  constructor(most: number) {
    this.#most = most;
  }

  /** Whether the text is new. */
  of(text: string): boolean {
    if (this.#seen.has(text) || this.#seen.size >= this.#most) return false;
    this.#seen.add(text);
    return true;
  }

  clear(): void {
    this.#seen.clear();
  }
}
