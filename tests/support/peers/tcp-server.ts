import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import type { TcpAddress } from '../../../src/base/net/address.ts';

/** A server on a loopback port of its own, which goes with all its connections. */
export class TcpServer implements AsyncDisposable {
  readonly address: TcpAddress;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server) {
    this.#server = server;
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('not a TCP server');
    this.address = { kind: 'tcp', host: '127.0.0.1', port: address.port };
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => this.#sockets.delete(socket));
    });
  }

  /** Of any server of node:net or node:http that does not listen yet. */
  static async of(server: Server): Promise<TcpServer> {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new TcpServer(server);
  }

  /** One that does `serve` with each connection. */
  static listen(serve: (socket: Socket) => void): Promise<TcpServer> {
    return TcpServer.of(createServer({ allowHalfOpen: true }, serve));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
