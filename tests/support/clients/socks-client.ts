import { connect, isIPv4, type NetConnectOpts, type Socket } from 'node:net';
import { within } from '../wait-until.ts';

/** RFC 1928 section 3: one method, no authentication. */
export const GREETING = Buffer.from([5, 1, 0]);

/** RFC 1928 section 4: CONNECT, or another command; an IPv4 address or a name. */
export function socksRequest(host: string, port: number, command = 1): Buffer {
  const address = isIPv4(host)
    ? Buffer.from([1, ...host.split('.').map(Number)])
    : Buffer.concat([Buffer.from([3, host.length]), Buffer.from(host, 'latin1')]);
  return Buffer.concat([Buffer.from([5, command, 0]), address, Buffer.from([port >> 8, port & 0xff])]);
}

/** What a server answers to {@link GREETING} and a request: the method, then the reply. */
export function socksAnswer(reply: number): Buffer {
  return Buffer.from([5, 0, 5, reply, 0, 1, 0, 0, 0, 0, 0, 0]);
}

/** Connects through a SOCKS5 server; the socket that comes back is paused and has no byte of the handshake left in it. */
export async function socksConnect(server: NetConnectOpts, host: string, port: number): Promise<Socket> {
  const socket = connect({ ...server, allowHalfOpen: true });
  socket.write(Buffer.concat([GREETING, socksRequest(host, port)]));
  const wanted = socksAnswer(0);
  const answer = await within('the SOCKS server answers', readExactly(socket, wanted.length));
  if (answer.equals(wanted)) return socket;
  socket.destroy();
  throw new Error(`the SOCKS server answered ${answer.toString('hex')}`);
}

function readExactly(socket: Socket, length: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const look = () => {
      const bytes: Buffer | null = socket.read(length);
      if (bytes === null) return;
      socket.off('readable', look).off('error', reject);
      resolve(bytes);
    };
    socket.on('readable', look).on('error', reject);
  });
}
