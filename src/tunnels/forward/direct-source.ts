import type { Socket } from 'node:net';
import type { Signal } from '../../base/async/signal.ts';
import type { Address } from '../../base/net/address.ts';
import type { Channel, ChannelSource, Originator } from '../channel/channel-source.ts';
import { dialTarget } from './dial-target.ts';
import { resetClient } from './reset.ts';

/**
 * Connects to targets from this node, without SSH. A relay treats a broken connection like the loss of a session; a
 * probe blames the target, as for any other wrong answer.
 */
export class DirectSource implements ChannelSource {
  readonly ready = true;
  readonly #purpose: 'relay' | 'probe';

  constructor(purpose: 'relay' | 'probe') {
    this.#purpose = purpose;
  }

  async whenReady(): Promise<void> {}

  async open(target: Address, _originator: Originator, signal: Signal): Promise<Channel> {
    return new DirectChannel(await dialTarget(target, signal), this.#purpose === 'relay');
  }
}

class DirectChannel implements Channel {
  readonly stream: Socket;
  readonly #tellsLoss: boolean;

  constructor(socket: Socket, tellsLoss: boolean) {
    this.stream = socket;
    this.#tellsLoss = tellsLoss;
  }

  onLost(callback: (complete: boolean) => void): void {
    if (this.#tellsLoss) this.stream.once('error', () => callback(this.stream.readableEnded));
  }

  close(): void {
    this.stream.destroy();
  }

  reset(): void {
    resetClient(this.stream);
  }
}
