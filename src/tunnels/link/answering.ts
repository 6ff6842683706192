import { withDeadline } from '../../base/async/deadline.ts';
import type { Signal } from '../../base/async/signal.ts';
import { Waiters } from '../../base/async/waiters.ts';
import { TunnelError } from '../../base/errors.ts';
import type { Roster } from './roster.ts';
import type { Held } from './session.ts';

interface AnsweringDependencies {
  /** The bound of the wait, in milliseconds. */
  waitMs(): number;
  /** Why no session is up. */
  absence(): TunnelError;
  /** An open found no session that answers. */
  onSilence(): void;
}

/**
 * While no session answers, so many opens may wait at the server. SSH cannot withdraw an open: without a bound, the target
 * would later get a connection for each client that has left.
 */
const MOST_UNANSWERED = 16;

/** The wait is over this soon after a session answers again, in milliseconds. */
const LOOK_EVERY_MS = 50;

/** Finds the session for an open. While each session is suspect, most opens wait here and not at the server. */
export class Answering {
  readonly #roster: Roster;
  readonly #deps: AnsweringDependencies;
  readonly #waiting = new Waiters();
  #look: NodeJS.Timeout | undefined;
  /** Opens that have a session, and are not sent yet. */
  #leaving = 0;

  constructor(roster: Roster, deps: AnsweringDependencies) {
    this.#roster = roster;
    this.#deps = deps;
  }

  /**
   * The session that `choose` gives, once that session answers. Call {@link sent} when the open leaves. Throws or rejects
   * with a TunnelError, or the signal's reason.
   */
  find(choose: () => Held | undefined, signal: Signal): Held | Promise<Held> {
    return this.#take(choose) ?? this.#wait(choose, signal);
  }

  /** An open has left for the session that {@link find} gave. */
  sent(): void {
    this.#leaving--;
  }

  #wait(choose: () => Held | undefined, signal: Signal): Promise<Held> {
    return withDeadline(this.#deps.waitMs(), signal, silentError, async (bounded) => {
      for (;;) {
        this.#deps.onSilence();
        await this.#relief(bounded);
        const held = this.#take(choose);
        if (held) return held;
      }
    });
  }

  /** Throws when no session is up. */
  #take(choose: () => Held | undefined): Held | undefined {
    const held = choose();
    if (!held) throw this.#deps.absence();
    if (!this.#fits(held)) return undefined;
    this.#leaving++;
    return held;
  }

  #fits({ session }: Held): boolean {
    return !session.suspect || session.unanswered + this.#leaving < MOST_UNANSWERED;
  }

  /** One timer for all that wait. */
  #relief(signal: Signal): Promise<void> {
    this.#look ??= setInterval(() => {
      const held = this.#roster.choose();
      if (!held || this.#fits(held)) this.#waiting.wake();
      if (this.#waiting.size > 0) return;
      clearInterval(this.#look);
      this.#look = undefined;
    }, LOOK_EVERY_MS);
    return this.#waiting.wait(signal);
  }
}

/** No session has answered in time. The open may succeed on a later session, or when the network is back. */
export function silentError(): TunnelError {
  return new TunnelError('keepalive_lost', 'no SSH session of the link answers a keepalive');
}
