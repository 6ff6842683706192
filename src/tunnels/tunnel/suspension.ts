import { settledWithin } from '../../base/async/settled-within.ts';
import type { Forward } from '../forward/forward.ts';

/** A tunnel out of service: `stopped` until an operator resumes it or the daemon restarts, or `retired` for good. */
export class Suspension {
  readonly as: 'stopped' | 'retired';
  /** The local port stays open: its connections go to the successor. */
  readonly keepsPort: boolean;
  readonly #end = new AbortController();
  #settled = false;

  constructor(as: Suspension['as'], keepsPort: boolean) {
    this.as = as;
    this.keepsPort = keepsPort;
  }

  /** No connection of the tunnel is open any more, so it needs no link. */
  get settled(): boolean {
    return this.#settled;
  }

  /** Gives open connections `graceMs` to finish, then resets them, unless the suspension ends first, or `stopping`. */
  async settle(
    forward: Pick<Forward, 'whenIdle' | 'resetAll'>,
    graceMs: number,
    stopping: () => boolean,
  ): Promise<void> {
    // Open connections go to the successor. Any connection left on SSH ends with its link.
    if (!this.keepsPort) {
      await settledWithin(forward.whenIdle(), graceMs, this.#end.signal);
      if (this.#end.signal.aborted || stopping()) return;
      forward.resetAll();
      await forward.whenIdle();
    }
    this.#settled = true;
  }

  /** The tunnel is back in service. */
  over(): void {
    this.#end.abort();
  }
}
