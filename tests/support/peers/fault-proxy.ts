import { createServer, connect as dial, type Server, type Socket } from 'node:net';
import { listen } from './loopback.ts';

export type Direction = 'to-server' | 'to-client';
export type Fault = 'cut' | 'reset' | 'pause';

interface Pair {
  readonly client: Socket;
  server: Socket | undefined;
  /** Of this connection alone. */
  readonly paused: Set<Direction>;
  readonly dropping: Set<Direction>;
  /** Events during a black hole are passed on only at its end. */
  later: (() => void)[];
}

/** Causes faults of one connection, and of no other. */
export interface ProxiedConnection {
  /** The client's end. */
  readonly clientPort: number;
  pause(direction?: Direction): void;
  drop(direction: Direction): void;
  resume(): void;
  reset(): void;
}

interface Trigger {
  readonly direction: Direction;
  left: number;
  readonly fault: Fault;
}

const BOTH: readonly Direction[] = ['to-server', 'to-client'];

/**
 * A TCP proxy on loopback that causes faults on command, in front of any port. Counts the bytes passed on.
 */
export class FaultProxy implements AsyncDisposable {
  /** Where new connections go. */
  target: number;
  port = 0;
  accepted = 0;
  readonly passed: Record<Direction, number> = { 'to-server': 0, 'to-client': 0 };
  readonly dropped: Record<Direction, number> = { 'to-server': 0, 'to-client': 0 };
  #server: Server | undefined;
  readonly #pairs = new Set<Pair>();
  readonly #forgotten = new Set<Pair>();
  readonly #paused = new Set<Direction>();
  readonly #dropping = new Set<Direction>();
  #trigger: Trigger | undefined;

  constructor(target: number) {
    this.target = target;
  }

  static async start(target: number): Promise<FaultProxy> {
    const proxy = new FaultProxy(target);
    await proxy.refuse(false);
    return proxy;
  }

  get open(): number {
    return this.#pairs.size;
  }

  /**
   * Black hole: bytes stop (the kernel's buffers still fill), ends and resets are not passed on, sockets stay open, new
   * connections are accepted and stay silent. In one direction only, when given.
   */
  pause(direction?: Direction): void {
    for (const each of direction === undefined ? BOTH : [direction]) this.#paused.add(each);
    for (const pair of this.#pairs) this.#applyPause(pair);
  }

  /** Ends `pause` and `drop`; what was held back flows. */
  resume(): void {
    this.#paused.clear();
    this.#dropping.clear();
    for (const pair of [...this.#pairs]) resumePair(pair);
  }

  /** The open connections, oldest first. */
  connections(): ProxiedConnection[] {
    return [...this.#pairs].map((pair) => ({
      clientPort: pair.client.remotePort ?? 0,
      pause: (direction) => {
        for (const each of direction === undefined ? BOTH : [direction]) pair.paused.add(each);
        this.#applyPause(pair);
      },
      drop: (direction) => {
        pair.dropping.add(direction);
      },
      resume: () => resumePair(pair),
      reset: () => {
        pair.client.resetAndDestroy();
        pair.server?.resetAndDestroy();
      },
    }));
  }

  /** Ends `pause` for new connections alone: what was paused stays a black hole, whose ends are never passed on. */
  forget(): void {
    for (const pair of this.#pairs) {
      for (const socket of [pair.client, pair.server])
        socket?.removeAllListeners('data').removeAllListeners('end').removeAllListeners('close').pause();
      this.#forgotten.add(pair);
    }
    this.#pairs.clear();
    this.#paused.clear();
  }

  /** Reads and discards the bytes of this direction until `resume()`. */
  drop(direction: Direction): void {
    this.#dropping.add(direction);
  }

  /** RST on every connection, to both sides. */
  reset(): void {
    for (const { client, server } of [...this.#pairs]) {
      client.resetAndDestroy();
      server?.resetAndDestroy();
    }
  }

  /** FIN on every connection, to both sides; what they still send is discarded. */
  cut(): void {
    for (const pair of [...this.#pairs]) {
      for (const socket of [pair.client, pair.server]) {
        socket?.removeAllListeners('data').removeAllListeners('end');
        socket?.resume().end();
      }
      this.#pairs.delete(pair);
    }
  }

  /** Causes the fault after exactly this many more bytes in that direction, over all connections. */
  faultAfter(bytes: number, fault: Fault, direction: Direction = 'to-client'): void {
    this.#trigger = { direction, left: bytes, fault };
  }

  cutAfter(bytes: number, direction: Direction = 'to-client'): void {
    this.faultAfter(bytes, 'cut', direction);
  }

  /** Whether new connections are refused, as if nothing listened; open ones live on. */
  async refuse(yes: boolean): Promise<void> {
    const server = this.#server;
    if (yes === (server === undefined)) return;
    if (server !== undefined) {
      this.#server = undefined;
      // Not awaited: 'close' waits for the open connections as well; the port is free at once.
      server.close();
      return;
    }
    const fresh = createServer({ allowHalfOpen: true }, (socket) => this.#accept(socket));
    this.#server = fresh;
    this.port = await listen(fresh, this.port);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.refuse(true);
    const closed = [...this.#pairs, ...this.#forgotten].flatMap(({ client, server }) => [
      client,
      ...(server === undefined ? [] : [server]),
    ]);
    this.#pairs.clear();
    this.#forgotten.clear();
    await Promise.all(closed.map(destroyed));
  }

  #accept(client: Socket): void {
    this.accepted += 1;
    const pair: Pair = { client, server: undefined, paused: new Set(), dropping: new Set(), later: [] };
    this.#pairs.add(pair);
    client.on('error', () => {});
    client.setNoDelay();
    client.pause();
    // A black hole does not even pass the connection request on.
    if (this.#paused.size > 0) pair.later.push(() => this.#join(pair));
    else this.#join(pair);
    client.once('close', () => pair.server === undefined && this.#pairs.delete(pair));
  }

  #join(pair: Pair): void {
    if (pair.client.destroyed) return;
    const server = dial({ host: '127.0.0.1', port: this.target, allowHalfOpen: true, noDelay: true });
    pair.server = server;
    server.on('error', () => {});
    this.#relay(pair, pair.client, server, 'to-server');
    this.#relay(pair, server, pair.client, 'to-client');
    this.#applyPause(pair);
  }

  #relay(pair: Pair, from: Socket, to: Socket, direction: Direction): void {
    from.on('data', (chunk: Buffer) => this.#pass(chunk, pair, from, to, direction));
    to.on('drain', () => this.#isPaused(pair, direction) || from.resume());
    from.on('end', () => this.#unlessPaused(pair, direction, () => to.end()));
    from.once('close', () => {
      if (to.destroyed) this.#pairs.delete(pair);
      // Closed without an end of stream: it was reset, and the other side shall see the same.
      else if (!from.readableEnded) this.#unlessPaused(pair, direction, () => to.resetAndDestroy());
    });
    from.resume();
  }

  #pass(chunk: Buffer, pair: Pair, from: Socket, to: Socket, direction: Direction): void {
    if (this.#dropping.has(direction) || pair.dropping.has(direction)) {
      this.dropped[direction] += chunk.length;
      return;
    }
    if (this.#isPaused(pair, direction)) {
      // The bytes were on their way when the pause began.
      from.pause();
      from.unshift(chunk);
      return;
    }
    const trigger = this.#trigger?.direction === direction ? this.#trigger : undefined;
    const head = trigger === undefined ? chunk : chunk.subarray(0, trigger.left);
    this.passed[direction] += head.length;
    if (head.length > 0 && !to.write(head)) from.pause();
    if (trigger === undefined) return;
    trigger.left -= head.length;
    if (trigger.left > 0) return;
    this.#trigger = undefined;
    if (trigger.fault === 'pause') {
      this.pause();
      if (head.length < chunk.length) from.unshift(chunk.subarray(head.length));
    } else if (trigger.fault === 'reset') {
      // A reset overtakes and destroys what the kernel has not delivered: let the counted bytes out first.
      to.write('', () => this.reset());
      from.pause();
    } else {
      this.cut();
    }
  }

  #isPaused({ paused }: Pair, direction: Direction): boolean {
    return this.#paused.has(direction) || paused.has(direction);
  }

  #applyPause(pair: Pair): void {
    if (this.#isPaused(pair, 'to-server')) pair.client.pause();
    if (this.#isPaused(pair, 'to-client')) pair.server?.pause();
  }

  #unlessPaused(pair: Pair, direction: Direction, act: () => void): void {
    if (this.#isPaused(pair, direction)) pair.later.push(act);
    else act();
  }
}

function resumePair(pair: Pair): void {
  pair.paused.clear();
  pair.dropping.clear();
  for (const act of pair.later.splice(0)) act();
  pair.client.resume();
  pair.server?.resume();
}

function destroyed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.closed) return resolve();
    socket.once('close', () => resolve());
    socket.destroy();
  });
}
