import { TunnelError } from '../../../base/errors.ts';
import { printable } from '../../../base/text/printable.ts';

/**
 * Whether ssh2 rejected bytes of the peer. An error of the socket has a level, and a disconnect of the server has a
 * number. Every other error comes from ssh2's reading of the bytes.
 */
export function isMisread(error: Error): boolean {
  const level: unknown = 'level' in error ? error.level : undefined;
  const code: unknown = 'code' in error ? error.code : undefined;
  return (level === undefined || level === 'handshake' || level === 'protocol') && code === undefined;
}

/** The words of OpenSSL for data that fail the integrity check of the cipher: Node gives them an empty error. */
const UNAUTHENTIC = /^error:0+:|unable to authenticate data/;

/** The words of ssh2 about the bytes of a peer, for people. */
export function saidBy(error: Error): string {
  // ssh2 stumbles over some messages: the words of JavaScript help nobody.
  if (error instanceof TypeError || error instanceof RangeError) return 'a message is malformed, or comes too early';
  return UNAUTHENTIC.test(error.message) ? 'the data failed the integrity check' : printable(error.message, 120);
}

/** Errors of a socket whose other side is gone, after a reset or after its end. */
const CUT: ReadonlySet<unknown> = new Set(['ECONNRESET', 'EPIPE']);

/** The error for the end of a session that was up. */
export function explainSessionError(peer: string, error: Error): TunnelError {
  if (error instanceof TunnelError) return error;
  const said = saidBy(error);
  if ('code' in error && CUT.has(error.code))
    return new TunnelError('connection_reset', `${peer} cut the connection (${error.code})`, { cause: error });
  // The fault may be ours: the message blames nobody.
  if (isMisread(error))
    return new TunnelError('protocol_error', `${peer} and this node do not understand each other: ${said}`, {
      cause: error,
    });
  return new TunnelError('connection_reset', `${peer}: ${said}`, { cause: error });
}
