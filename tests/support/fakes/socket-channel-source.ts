import { connect, type Socket } from 'node:net';
import { TunnelError } from '../../../src/base/errors.ts';
import type { Address } from '../../../src/base/net/address.ts';
import type { Channel, ChannelSource, Originator } from '../../../src/tunnels/channel/channel-source.ts';

/** A channel over a plain socket; the test can lose its session. */
class SocketChannel implements Channel {
  readonly stream: Socket;
  readonly #lost: ((complete: boolean) => void)[] = [];
  closed = false;

  constructor(stream: Socket) {
    this.stream = stream;
  }

  onLost(callback: (complete: boolean) => void): void {
    this.#lost.push(callback);
  }

  close(): void {
    this.closed = true;
    this.stream.destroy();
  }

  lose(): void {
    for (const callback of this.#lost) callback(this.stream.readableEnded);
    // Like ssh2 on connection loss: the readable side just ends.
    this.stream.push(null);
  }
}

/** A ChannelSource without SSH: each channel is a socket to the target. */
export class SocketChannelSource implements ChannelSource {
  ready = true;
  /** Every channel that was opened. */
  readonly channels: SocketChannel[] = [];
  readonly asked: { readonly target: Address; readonly originator: Originator }[] = [];
  /** If set, opening rejects with this. */
  refusal: TunnelError | undefined;
  /** If set, opening waits for this, even after the signal aborts. */
  gate: Promise<void> | undefined;

  async whenReady(): Promise<void> {}

  async open(target: Address, originator: Originator): Promise<Channel> {
    this.asked.push({ target, originator });
    await this.gate;
    if (this.refusal !== undefined) throw this.refusal;
    const socket = connect({
      ...(target.kind === 'unix' ? { path: target.path } : { host: target.host, port: target.port }),
      allowHalfOpen: true,
    });
    await new Promise<void>((resolve, reject) => {
      const onError = (cause: Error) => reject(new TunnelError('target_refused', 'connection refused', { cause }));
      socket.once('error', onError);
      // The user of the channel handles later errors, as with a real channel.
      socket.once('connect', () => {
        socket.off('error', onError);
        resolve();
      });
    });
    const channel = new SocketChannel(socket);
    this.channels.push(channel);
    return channel;
  }

  /** Whether every channel that was opened has been closed again. */
  get allClosed(): boolean {
    return this.channels.every((channel) => channel.closed);
  }
}
