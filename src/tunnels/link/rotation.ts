import { Waiters } from '../../base/async/waiters.ts';
import type { TunnelError } from '../../base/errors.ts';
import type { Roster } from './roster.ts';

/**
 * A link's way to sessions with a newer credential: how long it takes, and who waits for it. Where there is no session to
 * replace it is over with the first one that comes up, and is not measured: that is a reconnect.
 */
export class Rotation {
  #underWay = false;
  #since: number | undefined;
  #failure: TunnelError | undefined;
  readonly #over = new Waiters();

  /**
   * Begins, or begins anew when yet another credential has come.
   *
   * @param now as of performance.now(); undefined where there is no session to replace
   */
  begin(now: number | undefined): void {
    this.#underWay = true;
    this.#since = now;
    this.#failure = undefined;
  }

  /**
   * The sessions of the link have changed. Returns how long the replacement took, in seconds, when this change ends the
   * replacement. A replacement whose old sessions are lost first is a reconnect, which has no duration.
   *
   * @param now as of performance.now()
   */
  advance({ superseded, current }: Pick<Roster, 'superseded' | 'current'>, now: number): number | undefined {
    if (!this.#underWay || superseded.length > 0) return undefined;
    const since = this.#since;
    this.#since = undefined;
    if (current.length === 0) return undefined;
    this.#underWay = false;
    this.#over.wake();
    return since === undefined ? undefined : (now - since) / 1000;
  }

  /** An attempt has failed. The sessions that were to be replaced serve on, and it goes on being tried. */
  fail(error: TunnelError): void {
    if (!this.#underWay) return;
    this.#failure = error;
    this.#over.wake();
  }

  /** Settles when it is over, or has failed for the first time: with the reason then. Rejects with the signal's reason. */
  async outcome(signal: AbortSignal): Promise<TunnelError | undefined> {
    if (this.#underWay && !this.#failure) await this.#over.wait(signal);
    return this.#underWay ? this.#failure : undefined;
  }
}
