import { Waiters } from '../../base/async/waiters.ts';
import type { TunnelError } from '../../base/errors.ts';
import type { Address } from '../../base/net/address.ts';
import type { ChannelSource } from '../channel/channel-source.ts';
import type { Usage } from './usage.ts';

/** Another way for the clients of a forward than through its tunnel. */
export interface Detour {
  readonly source: ChannelSource;
  readonly target: Address;
  /** Counts what goes this way: none of it is use of the tunnel. */
  readonly usage: Usage;
  /** Where a client goes whom this way does not take: nowhere, or through the tunnel after all. */
  readonly otherwise: 'reset' | 'tunnel';
  /** It took a client, or did not, for this reason. */
  onTaken(error: TunnelError | undefined): void;
}

/**
 * Where the new connections of one forward go: through its tunnel, by a detour, or nowhere yet because they are held.
 * A connection that has passed is never sent another way.
 */
export class Junction {
  readonly #held = new Waiters();
  readonly #clearance = new Waiters();
  #holding = false;
  #detour: Detour | undefined;
  #through = 0;
  /** Called with the number of connections held, whenever one more is. */
  #onHeld: ((count: number) => void) | undefined;

  /** Undefined: through the tunnel. */
  get detour(): Detour | undefined {
    return this.#detour;
  }

  get holding(): boolean {
    return this.#holding;
  }

  /** Whether somebody who comes now can get into the tunnel. */
  get mayLeadThrough(): boolean {
    return this.#holding || this.#detour?.otherwise !== 'reset';
  }

  /** Connections that are on their way through the tunnel, or want to be. */
  get through(): number {
    return this.#through;
  }

  /** New connections wait from now on, unread, until {@link release}. */
  hold(onHeld?: (count: number) => void): void {
    this.#holding = true;
    this.#onHeld = onHeld;
  }

  /** New connections, and those that are held, go this way from now on. */
  release(detour: Detour | undefined): void {
    this.#detour = detour;
    this.#holding = false;
    this.#onHeld = undefined;
    this.#held.wake();
  }

  /** Settles once nobody is held any more; rejects with the signal's reason. */
  async passage(signal: AbortSignal): Promise<void> {
    while (this.#holding) {
      const released = this.#held.wait(signal);
      this.#onHeld?.(this.#held.size);
      await released;
    }
  }

  /** A connection goes through the tunnel until the returned function is called. */
  enter(): () => void {
    this.#through++;
    let inside = true;
    return () => {
      if (!inside) return;
      inside = false;
      this.#through--;
      if (this.#through === 0) this.#clearance.wake();
    };
  }

  /** Settles when nobody is on the way through the tunnel; rejects with the signal's reason. */
  async whenClear(signal: AbortSignal): Promise<void> {
    while (this.#through > 0) await this.#clearance.wait(signal);
  }
}
