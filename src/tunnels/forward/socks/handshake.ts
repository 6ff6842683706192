import type { Socket } from 'node:net';
import { withDeadline } from '../../../base/async/deadline.ts';
import type { Signal } from '../../../base/async/signal.ts';
import { TurnedAway } from '../../../base/errors.ts';
import { printable } from '../../../base/text/printable.ts';
import { type Destination, destinationOf } from '../../../config/allow/destination.ts';
import { type Greeting, parseGreeting, parseRequest, type Request } from './message.ts';
import {
  farewell,
  HTTP_REJECTED,
  METHOD_SELECTED,
  NO_ACCEPTABLE_METHOD,
  NO_AUTHENTICATION,
  REPLY,
  type Reply,
  replyBytes,
  SOCKS4_REJECTED,
} from './reply.ts';
import { SocketReader } from './socket-reader.ts';

/** A client must finish its SOCKS5 handshake within this time, in milliseconds. */
const HANDSHAKE_MS = 10_000;

const CONNECT = 1;
const HINT = 'Point the client at this port as a SOCKS5 proxy without authentication.';

/**
 * The server's side of a SOCKS5 handshake (RFC 1928), up to the client's request. Bounded in time, and in bytes by the
 * messages. The socket stays paused, and keeps the bytes after the request. Rejects with a TunnelError when the request
 * has no valid destination, after replying to the client.
 */
export async function readDestination(socket: Socket, signal: Signal): Promise<Destination> {
  const expired = () => turnedAway(`a client did not finish its SOCKS5 handshake within ${HANDSHAKE_MS / 1000} s`);
  const request = await withDeadline(HANDSHAKE_MS, signal, expired, async (bounded) => {
    const reader = new SocketReader(socket, bounded);
    greet(socket, await reader.read(parseGreeting));
    const read = await reader.read(parseRequest);
    reader.release();
    return read;
  });
  return judge(socket, request);
}

function greet(socket: Socket, greeting: Greeting | undefined): void {
  if (greeting === undefined) throw turnedAway('a client sent bytes that are not SOCKS5');
  if (greeting.protocol === 'http') {
    farewell(socket, HTTP_REJECTED);
    throw turnedAway('a client sent HTTP instead of SOCKS5');
  }
  if (greeting.protocol === 'socks4') {
    farewell(socket, SOCKS4_REJECTED);
    throw turnedAway('a client sent SOCKS4 instead of SOCKS5');
  }
  if (!greeting.methods.includes(NO_AUTHENTICATION)) {
    farewell(socket, NO_ACCEPTABLE_METHOD);
    throw turnedAway('a client requires authentication, which this port does not offer');
  }
  socket.write(METHOD_SELECTED);
}

function judge(socket: Socket, request: Request | undefined): Destination {
  const refuse = (reply: Reply, why: string): never => {
    farewell(socket, replyBytes(reply));
    throw turnedAway(why);
  };
  if (request === undefined) return refuse(REPLY.general_failure, 'a client sent a malformed SOCKS5 request');
  const { command, host, port } = request;
  if (command !== CONNECT)
    return refuse(REPLY.command_not_supported, `a client sent SOCKS5 command ${command}; only CONNECT is supported`);
  if (host === undefined)
    return refuse(REPLY.address_type_not_supported, 'a client sent an unknown SOCKS5 address type');
  const destination = destinationOf(host, port);
  return (
    destination ??
    refuse(
      REPLY.general_failure,
      `a client requested ${JSON.stringify(printable(host, 64))}, which is not a valid host name`,
    )
  );
}

/** The error of a rejected client: the tunnel itself works. */
function turnedAway(message: string): TurnedAway {
  return new TurnedAway('connection_reset', message, { hint: HINT });
}
