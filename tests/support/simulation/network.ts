import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { TunnelError } from '../../../src/base/errors.ts';
import { formatAddress } from '../../../src/base/net/address.ts';
import type { Listen } from '../../../src/base/net/listener.ts';
import type { Channel, ChannelSource } from '../../../src/tunnels/channel/channel-source.ts';
import type { SimClock } from './clock.ts';
import { Switch } from './switch.ts';

/** How a service behaves. */
export type Health = 'healthy' | 'refuses' | 'silent';

/** A socket of the simulated machine, as the daemon gets it from its listener. */
class SimSocket extends Duplex {
  readonly remoteAddress = '127.0.0.1';
  readonly remotePort: number;
  bytesRead = 0;
  bytesWritten = 0;

  constructor(port: number) {
    super({ allowHalfOpen: true });
    this.remotePort = port;
    this.on('error', () => {});
  }

  override _read(): void {}

  override _write(chunk: Buffer, _: string, done: () => void): void {
    this.bytesWritten += chunk.length;
    done();
  }

  resetAndDestroy(): this {
    return this.destroy();
  }

  /** The client sends. */
  send(text: string): void {
    if (this.destroyed) return;
    this.bytesRead += text.length;
    this.push(Buffer.from(text));
  }
}

/** One client of the daemon, as an onlooker sees it. */
export interface SimClient {
  /** The tunnel whose listener accepted the client: during a reload the port may still be another tunnel's. */
  readonly tunnel: string;
  readonly from: number;
  until: number | undefined;
  /** The services that the client's connection was taken to. */
  readonly ways: Set<'tunnel' | 'successor'>;
  send(text: string): void;
  leave(): void;
}

interface Bound {
  readonly owner: object;
  readonly tunnel: string;
  onConnection(socket: Socket): void;
}

/** The ports of the simulated machine, the services that it can reach, and its clients. */
export class SimNetwork {
  readonly #clock: SimClock;
  readonly #ports = new Map<string, Bound>();
  readonly #openings = new Map<string, Switch>();
  readonly #healthiness = new Map<string, Switch>();
  readonly #health = new Map<string, Health>();
  readonly #clients = new Map<number, SimClient>();
  readonly #channels = new Set<() => void>();
  readonly #ended = new WeakSet<object>();
  #nextPort = 40_000;
  readonly link: Switch;

  constructor(clock: SimClock) {
    this.#clock = clock;
    this.link = new Switch(clock, true);
  }

  get linkUp(): boolean {
    return this.link.on;
  }

  /** All clients so far. */
  get clients(): Iterable<SimClient> {
    return this.#clients.values();
  }

  isBound(address: string): boolean {
    return this.#ports.has(address);
  }

  /** The bound addresses. */
  get bound(): string[] {
    return [...this.#ports.keys()];
  }

  /** When the port was open. */
  openingOf(address: string): Switch {
    const known = this.#openings.get(address) ?? new Switch(this.#clock, false);
    this.#openings.set(address, known);
    return known;
  }

  healthOf(address: string): Health {
    return this.#health.get(address) ?? 'healthy';
  }

  /** When the service was healthy. */
  healthinessOf(address: string): Switch {
    const known = this.#healthiness.get(address) ?? new Switch(this.#clock, true);
    this.#healthiness.set(address, known);
    return known;
  }

  setHealth(address: string, health: Health): void {
    this.#health.set(address, health);
    this.healthinessOf(address).set(health === 'healthy');
  }

  /** `owner` is a process: its ports are closed when it ends. `tunnel` is the name of the tunnel that listens. */
  listenFor(owner: object, tunnel: string): Listen {
    return async (address, onConnection) => {
      const where = formatAddress(address);
      if (this.#ended.has(owner)) throw new TunnelError('internal', 'the process has ended');
      if (this.#ports.has(where)) throw new TunnelError('listen_in_use', `${where} is in use`);
      const bound: Bound = { owner, tunnel, onConnection };
      this.#ports.set(where, bound);
      this.openingOf(where).set(true);
      const close = async () => {
        if (this.#ports.get(where) === bound) this.#close(where);
      };
      return { address, by: 'daemon', close };
    };
  }

  /** A second process ends, which has no clients. */
  end(owner: object): void {
    this.#ended.add(owner);
    for (const [where, bound] of this.#ports) if (bound.owner === owner) this.#close(where);
  }

  endProcess(owner: object): void {
    this.end(owner);
    for (const client of this.#clients.values()) client.leave();
    for (const cut of [...this.#channels]) cut();
  }

  /** The sessions of the link are lost. */
  cutLink(): void {
    this.link.set(false);
    for (const cut of [...this.#channels]) cut();
  }

  /** A client connects; undefined when nobody listens. */
  connect(address: string): SimClient | undefined {
    const bound = this.#ports.get(address);
    if (!bound) return undefined;
    const port = this.#nextPort++;
    const socket = new SimSocket(port);
    const client: SimClient = {
      tunnel: bound.tunnel,
      from: this.#clock.now,
      until: undefined,
      ways: new Set(),
      send: (text) => socket.send(text),
      leave: () => void socket.destroy(),
    };
    this.#clients.set(port, client);
    socket.once('close', () => {
      client.until ??= this.#clock.now;
    });
    bound.onConnection(socket as unknown as Socket);
    return client;
  }

  /** A channel to a service through the tunnel: ends with the link. */
  channelThroughTunnel(originatorPort: number): Channel {
    this.#clients.get(originatorPort)?.ways.add('tunnel');
    return this.#channel(this.#channels);
  }

  /** The services of this machine, reached without the tunnel. `blind`: their health makes no difference. */
  successors(blind = false): ChannelSource {
    return {
      ready: true,
      whenReady: async () => {},
      open: async (target, { port }, signal) => {
        const where = formatAddress(target);
        this.#clients.get(port)?.ways.add('successor');
        const health = blind ? 'healthy' : this.healthOf(where);
        if (health === 'silent')
          await new Promise((_, reject) => {
            if (signal.aborted) reject(signal.reason);
            signal.addEventListener('abort', () => reject(signal.reason), { once: true });
          });
        if (health === 'refuses') throw new TunnelError('target_refused', `${where} refused the connection`);
        return this.#channel(undefined);
      },
    };
  }

  #close(where: string): void {
    this.#ports.delete(where);
    this.openingOf(where).set(false);
  }

  /** `fate`: what can cut the channel. */
  #channel(fate: Set<() => void> | undefined): Channel {
    const stream = new Duplex({
      allowHalfOpen: true,
      read: () => {},
      write(chunk, _, done) {
        // The service answers each request.
        this.push(chunk);
        done();
      },
      final(done) {
        this.push(null);
        done();
      },
    });
    stream.on('error', () => {});
    const lost: ((complete: boolean) => void)[] = [];
    const cut = () => {
      fate?.delete(cut);
      for (const tell of lost) tell(false);
      stream.destroy();
    };
    fate?.add(cut);
    return {
      stream,
      onLost: (tell) => void lost.push(tell),
      close: () => {
        fate?.delete(cut);
        stream.destroy();
      },
    };
  }
}
