import type { TurnedAway } from '../../base/errors.ts';
import type { Logger } from '../../telemetry/log/log.ts';
import { AcceptTrouble } from './accept-trouble.ts';
import { FirstTime } from './first-time.ts';

/** Clients that were turned away are logged once for each reason (a destination, mostly), up to so many reasons. */
const MOST_REASONS_LOGGED = 100;

/** What clients of a tunnel met before there was a connection: it comes by the thousand, and is told by the line. */
export class ClientTrouble {
  readonly #log: Logger;
  readonly #accepts = new AcceptTrouble();
  readonly #turnedAway = new FirstTime(MOST_REASONS_LOGGED);

  constructor(log: Logger) {
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
