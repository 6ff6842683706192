import type { Signal } from '../../base/async/signal.ts';
import { Waiters } from '../../base/async/waiters.ts';
import type { TunnelError } from '../../base/errors.ts';
import type { Address } from '../../base/net/address.ts';
import type { Listen } from '../../base/net/listener.ts';
import type { ChannelSource } from '../channel/channel-source.ts';
import type { Usage } from './usage.ts';

/** What happens to a client that a detour rejects. */
export type DetourTerms =
  /**
   * The client goes through the tunnel. `onTaken` gets the result for each client: undefined when the successor answered.
   */
  | { readonly kind: 'trial'; onTaken(error: TunnelError | undefined): void }
  /** The client is reset: no way leads into the tunnel. */
  | { readonly kind: 'committed' };

/** A route that leads the clients of a forward past its tunnel. */
export type Detour = DetourTerms & {
  readonly source: ChannelSource;
  readonly target: Address;
  /** Counts the traffic of the detour, which is no use of the tunnel. */
  readonly usage: Usage;
};

/** Where a new connection goes now. */
export type Way =
  | { readonly kind: 'tunnel' }
  /** Nowhere yet: the connection waits, unread. */
  | { readonly kind: 'held'; readonly onMore: ((held: number) => void) | undefined }
  | Detour;

const THROUGH_TUNNEL: Way = { kind: 'tunnel' };

/** The local side of a forward: how its listener is bound, and where its clients go. */
export interface Entrance {
  readonly listen: Listen;
  readonly junction: Junction;
}

/** Chooses the route of one forward's new connections. A connection that has passed keeps its route. */
export class Junction {
  readonly #held = new Waiters();
  readonly #clearance = new Waiters();
  #way: Way = THROUGH_TUNNEL;
  #through = 0;

  get way(): Way {
    return this.#way;
  }

  /** Undefined: through the tunnel, perhaps after a wait. */
  get detour(): Detour | undefined {
    return this.#way.kind === 'trial' || this.#way.kind === 'committed' ? this.#way : undefined;
  }

  get holding(): boolean {
    return this.#way.kind === 'held';
  }

  /** Connections that go through the tunnel, or are about to. */
  get through(): number {
    return this.#through;
  }

  /**
   * New connections wait from now on, unread, until {@link release}.
   *
   * @param onMore called with the number of connections that are held, whenever one more is
   */
  hold(onMore?: (held: number) => void): void {
    this.#way = { kind: 'held', onMore };
  }

  /** New and held connections take this route from now on. */
  release(detour: Detour | undefined): void {
    this.#way = detour ?? THROUGH_TUNNEL;
    this.#held.wake();
  }

  /** Settles once connections are no longer held; rejects with the signal's reason. */
  async whenReleased(signal: Signal): Promise<void> {
    while (this.#way.kind === 'held') {
      const released = this.#held.wait(signal);
      this.#way.onMore?.(this.#held.size);
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

  /** Settles when no connection goes through the tunnel; rejects with the signal's reason. */
  async whenClear(signal: Signal): Promise<void> {
    while (this.#through > 0) await this.#clearance.wait(signal);
  }
}
