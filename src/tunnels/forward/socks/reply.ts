import type { Socket } from 'node:net';
import type { TunnelError } from '../../../base/errors.ts';
import { VERSION_5 } from './message.ts';

/** RFC 1928 section 6, "REP". */
export const REPLY = {
  succeeded: 0x00,
  general_failure: 0x01,
  not_allowed: 0x02,
  host_unreachable: 0x04,
  connection_refused: 0x05,
  ttl_expired: 0x06,
  command_not_supported: 0x07,
  address_type_not_supported: 0x08,
} as const;
export type Reply = (typeof REPLY)[keyof typeof REPLY];

/** The answer to a request. The bound address is unknown here and all zero, as in ssh(1). */
export function replyBytes(reply: Reply): Buffer {
  return Buffer.from([VERSION_5, reply, 0, 1, 0, 0, 0, 0, 0, 0]);
}

/** RFC 1928 section 3: X'00' no authentication required, X'FF' no acceptable methods. */
export const NO_AUTHENTICATION = 0x00;
export const METHOD_SELECTED = Buffer.from([VERSION_5, NO_AUTHENTICATION]);
export const NO_ACCEPTABLE_METHOD = Buffer.from([VERSION_5, 0xff]);

/** SOCKS4, reply: VN 0, CD 91 "request rejected or failed", and six bytes that do not matter. */
export const SOCKS4_REJECTED = Buffer.from([0, 91, 0, 0, 0, 0, 0, 0]);

const HTTP_TEXT = 'This is a SOCKS5 proxy (RFC 1928), not an HTTP one: use socks5h://, as in curl --socks5-hostname.\n';
export const HTTP_REJECTED = Buffer.from(
  `HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: ${HTTP_TEXT.length}\r\nConnection: close\r\n\r\n${HTTP_TEXT}`,
);

/** The reply to a client when its connection failed. */
export function replyFor(error: TunnelError): Reply {
  switch (error.code) {
    case 'target_refused':
      return REPLY.connection_refused;
    case 'target_unreachable':
      return isTimeout(error.cause) ? REPLY.ttl_expired : REPLY.host_unreachable;
    case 'forward_denied':
      return REPLY.not_allowed;
    default:
      return REPLY.general_failure;
  }
}

/** By the name of the error that `AbortSignal.timeout()` uses. */
function isTimeout(cause: unknown): boolean {
  return cause instanceof Error && cause.name === 'TimeoutError';
}

/** A client that was refused may take this long to close its side, in milliseconds. */
const LINGER_MS = 1_000;

/**
 * Sends the last bytes, and closes after the client has closed. Closing at once could lose them: while bytes from the
 * client are unread, the kernel resets the connection and drops unread bytes on the client's side.
 */
export function farewell(socket: Socket, words: Buffer): void {
  if (socket.destroyed) return;
  socket.end(words);
  socket.once('end', () => socket.destroySoon());
  socket.resume();
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once('close', () => clearTimeout(timer));
}
