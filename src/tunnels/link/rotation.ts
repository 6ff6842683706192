import { Waiters } from '../../base/async/waiters.ts';
import type { TunnelError } from '../../base/errors.ts';
import type { Roster } from './roster.ts';

/**
 * The replacement of a link's sessions after a new credential: its duration, and who waits for its end. With no session to
 * replace, the replacement ends with the first session that comes up. That is a reconnect and is not measured.
 */
export class Rotation {
  #underWay = false;
  #since: number | undefined;
  #failure: TunnelError | undefined;
  readonly #over = new Waiters();

  /**
   * Begins the replacement, or begins it again for yet another credential.
   *
   * @param now as of performance.now(); undefined when there is no session to replace
   */
  begin(now: number | undefined): void {
    this.#underWay = true;
    this.#since = now;
    this.#failure = undefined;
  }

  /**
   * The sessions of the link changed. Returns the duration in seconds if this change ends the replacement. If the old
   * sessions are lost first, the replacement is a reconnect, which has no duration.
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

  /** An attempt failed. The old sessions still serve, and attempts continue. */
  fail(error: TunnelError): void {
    if (!this.#underWay) return;
    this.#failure = error;
    this.#over.wake();
  }

  /** Settles at the end of the replacement, or with the error of the first failed attempt. Rejects with the signal's reason. */
  async outcome(signal: AbortSignal): Promise<TunnelError | undefined> {
    if (this.#underWay && !this.#failure) await this.#over.wait(signal);
    return this.#underWay ? this.#failure : undefined;
  }
}
