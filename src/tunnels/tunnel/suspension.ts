import { settledWithin } from '../../base/async/settled-within.ts';
import type { Forward } from '../forward/forward.ts';

/** A tunnel is out of service: until somebody takes it back, or the daemon ends; or for good. */
export class Suspension {
  readonly as: 'stopped' | 'retired';
  /** The local port stays open, for the successor that its connections go to. */
  readonly keepsPort: boolean;
  readonly #end = new AbortController();
  #settled = false;

  constructor(as: Suspension['as'], keepsPort: boolean) {
    this.as = as;
    this.keepsPort = keepsPort;
  }

  /** Nothing of the tunnel is open any more, and it needs no link. */
  get settled(): boolean {
    return this.#settled;
  }

  /** What is open gets `graceMs` to finish and is reset then, unless the suspension is over before, or `stopping`. */
  async settle(
    forward: Pick<Forward, 'whenIdle' | 'resetAll'>,
    graceMs: number,
    stopping: () => boolean,
  ): Promise<void> {
    // What is open goes to the successor; of what went through SSH nothing is left, or it ends with its link.
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
