import { Waiters } from '../../../src/base/async/waiters.ts';
import { TunnelError } from '../../../src/base/errors.ts';
import type { LinkStatus } from '../../../src/telemetry/status/status.ts';
import type { LinkTable, LinkUser } from '../../../src/tunnels/tunnel/link-table.ts';
import type { TunnelLink } from '../../../src/tunnels/tunnel/tunnel-link.ts';
import type { SimNetwork } from './network.ts';

/** The links of a simulated daemon: one switch instead of SSH. */
export class SimLinks implements Pick<LinkTable, keyof LinkTable> {
  readonly #users = new Set<LinkUser>();
  readonly #up = new Waiters();
  readonly #link: TunnelLink;
  readonly #network: SimNetwork;
  readonly actors = new Set<string>();
  readonly actorsStandingIn = new Set<string>();
  readonly ways = [];

  constructor(network: SimNetwork) {
    this.#network = network;
    const up = this.#up;
    const lost = () => new TunnelError('keepalive_lost', 'the simulated link is down');
    this.#link = {
      get ready() {
        return network.linkUp;
      },
      get state() {
        return network.linkUp ? ('up' as const) : ('backoff' as const);
      },
      get lastError() {
        return network.linkUp ? undefined : lost();
      },
      farSessions: [],
      check: () => {},
      whenReady: async (signal) => {
        while (!network.linkUp) await up.wait(signal);
      },
      open: async (_, { port }) => {
        if (!network.linkUp) throw lost();
        return network.channelThroughTunnel(port);
      },
    };
  }

  /** The switch was turned. */
  changed(): void {
    if (this.#network.linkUp) this.#up.wake();
    for (const user of this.#users) user.linkChanged();
  }

  join(_: unknown, user: LinkUser): void {
    this.#users.add(user);
    user.link.move(this.#link);
  }

  depart(): void {}

  leave(user: LinkUser): void {
    this.#users.delete(user);
  }

  reconfigure(): void {}
  renewForbidden(): void {}
  async release(): Promise<void> {}
  tick(): void {}
  kick(): void {}
  supersede(): void {}
  testLogins(): void {}
  cut(): void {}
  async stop(): Promise<void> {}

  async rotations(): Promise<[]> {
    return [];
  }

  async firstLogins(): Promise<[]> {
    return [];
  }

  async retestLogins(): Promise<[]> {
    return [];
  }

  status(): LinkStatus[] {
    return [];
  }
}
