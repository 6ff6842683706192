import { createServer, type Server, type Socket } from 'node:net';
import type { Connection } from 'ssh2';

/** How the server answers a request to listen. */
export type ListenManner = 'bind' | 'refuse' | 'ignore';

/**
 * Remote forwards of one connection (RFC 4254 section 7.1): listens on loopback as requested, until the connection ends.
 * Half-closed connections stay half-open, as with OpenSSH.
 */
export function listenFor(client: Connection, manner: () => ListenManner): void {
  const servers = new Map<string, Server>();
  const sockets = new Set<Socket>();
  client.once('close', () => {
    for (const server of servers.values()) server.close();
    for (const socket of sockets) socket.destroy();
  });
  client.on('request', (accept, reject, name, info) => {
    const key = 'bindAddr' in info ? `${info.bindAddr}:${info.bindPort}` : '';
    if (name === 'cancel-tcpip-forward') {
      const server = servers.get(key);
      servers.delete(key);
      server?.close();
      if (server) accept?.();
      else reject?.();
      return;
    }
    if (name !== 'tcpip-forward' || manner() === 'refuse') {
      reject?.();
      return;
    }
    if (manner() === 'ignore') return;
    const { bindAddr, bindPort } = info;
    const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (socket) => {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.once('close', () => sockets.delete(socket));
      const { remoteAddress = '', remotePort = 0 } = socket;
      client.forwardOut(bindAddr, bindPort, remoteAddress, remotePort, (error, channel) => {
        if (error) {
          socket.destroy();
          return;
        }
        channel.on('error', () => {});
        channel.once('close', () => socket.end());
        // A server's channel of ssh2 closes once it is ended: the end of this direction alone is said by eof().
        socket.pipe(channel, { end: false });
        // close() drops what still waits for the window, so an orderly end closes only after the last byte.
        const sent = new Promise<void>((resolve) => {
          socket.once('end', () =>
            channel.write(Buffer.alloc(0), () => {
              channel.eof();
              resolve();
            }),
          );
        });
        socket.once('close', () => (socket.readableEnded ? void sent.then(() => channel.close()) : channel.close()));
        channel.pipe(socket);
      });
    });
    server.once('error', () => reject?.());
    server.listen({ host: bindAddr, port: bindPort }, () => {
      servers.set(key, server);
      accept?.();
    });
  });
}
