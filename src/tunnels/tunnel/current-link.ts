import { follow } from '../../base/async/follow.ts';
import type { Signal } from '../../base/async/signal.ts';
import { Waiters } from '../../base/async/waiters.ts';
import type { TunnelError } from '../../base/errors.ts';
import type { Address } from '../../base/net/address.ts';
import type { LinkState } from '../../telemetry/status/status.ts';
import type { Channel, Originator } from '../channel/channel-source.ts';
import type { FarSession } from '../channel/far-side.ts';
import { NO_LINK, type TunnelLink } from './tunnel-link.ts';

/** The current link of one tunnel. A reload may move the tunnel to another link; waiting clients move with it. */
export class CurrentLink implements TunnelLink {
  #link: TunnelLink;
  readonly #moved = new Waiters();

  constructor(link: TunnelLink = NO_LINK) {
    this.#link = link;
  }

  get ready(): boolean {
    return this.#link.ready;
  }

  get state(): LinkState {
    return this.#link.state;
  }

  get lastError(): TunnelError | undefined {
    return this.#link.lastError;
  }

  get fallbackReason(): TunnelError | undefined {
    return this.#link.fallbackReason;
  }

  get farSessions(): readonly FarSession[] {
    return this.#link.farSessions;
  }

  move(link: TunnelLink): void {
    if (link === this.#link) return;
    this.#link = link;
    this.#moved.wake();
  }

  check(): void {
    this.#link.check();
  }

  async whenReady(signal: Signal): Promise<void> {
    while (!this.ready) {
      signal.throwIfAborted();
      const wait = follow(signal);
      try {
        await Promise.race([this.#link.whenReady(wait.signal), this.#moved.wait(wait.signal)]);
      } finally {
        wait.end();
      }
    }
  }

  whenAnswering(signal: Signal): Promise<void> | undefined {
    return this.#link.whenAnswering?.(signal);
  }

  open(target: Address, originator: Originator, signal: Signal): Promise<Channel> {
    return this.#link.open(target, originator, signal);
  }
}
