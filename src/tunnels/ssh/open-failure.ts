import { SessionFull, TunnelError } from '../../base/errors.ts';
import { type Address, formatAddress } from '../../base/net/address.ts';
import { printable } from '../../base/text/printable.ts';
import { peerHint } from './peer-hint.ts';

/** SSH_MSG_CHANNEL_OPEN_FAILURE reason codes (RFC 4254 section 5.1). */
const ADMINISTRATIVELY_PROHIBITED = 1;
const CONNECT_FAILED = 2;
const UNKNOWN_CHANNEL_TYPE = 3;
const RESOURCE_SHORTAGE = 4;

/**
 * The code says only that the connect failed. The servers' words for ECONNREFUSED and ETIMEDOUT: strerror(3) of OpenSSH,
 * dropbear, libssh and Erlang, Go's net package, and the numbers of Python on Linux, BSD and Windows.
 */
const REFUSED = /refused|ECONNREFUSED|\b(?:Errno (?:111|61)|WinError 10061)\b/i;
const TIMED_OUT = /timed out|i\/o timeout|ETIMEDOUT|\b(?:Errno (?:110|60)|WinError 10060)\b/i;

/** sshd gives only "open failed" for all of these reasons. */
const SOCKET_HINT =
  'On the host, check that a service listens on the socket and that the user may write to it. ' +
  'Also check AllowStreamLocalForwarding in sshd_config.';

/** What OpenSSH says when it has no free descriptor, or the connect fails before the first packet. */
const NOT_TRIED = 'open failed';
const NOT_TRIED_HINT =
  'The host may have no route to the target, or the session of sshd no free descriptor. ' +
  'In the second case raise `LimitNOFILE` of the unit of sshd, or `sessions` of the host.';

/** The error for a channel that the server refused; undefined when `error` is not an answer of the server. */
export function explainOpenFailure(target: Address, error: Error, server: string): TunnelError | undefined {
  const reason = 'reason' in error ? error.reason : undefined;
  if (typeof reason !== 'number') return undefined;
  const where = formatAddress(target);
  const words = error.message.replace(/^\(SSH\) Channel open failure: /, '').trim();
  // Filtered because the text appears on terminals.
  const said = printable(words, 120);
  if (reason === ADMINISTRATIVELY_PROHIBITED)
    return new TunnelError('forward_denied', `the server forbids a channel to ${where}`, {
      cause: error,
      hint: peerHint(server, 'forward_denied'),
    });
  if (reason === UNKNOWN_CHANNEL_TYPE)
    return new TunnelError('forward_denied', `the server cannot open a channel to ${where}`, {
      cause: error,
      hint:
        target.kind === 'unix'
          ? 'A Unix socket on the host needs OpenSSH 6.7 or later there. Otherwise use a TCP target.'
          : 'The server does not support direct-tcpip channels. Use a server that supports forwarding.',
    });
  // paramiko sends the code without a word.
  if (reason === CONNECT_FAILED && words === '')
    return new TunnelError('target_refused', `the server could not connect to ${where}, and does not say why`, {
      cause: error,
    });
  if (reason === CONNECT_FAILED && REFUSED.test(words))
    return new TunnelError('target_refused', `${where} refused the connection`, { cause: error });
  if (reason === RESOURCE_SHORTAGE || (reason === CONNECT_FAILED && words === NOT_TRIED))
    return new SessionFull('target_unreachable', `${where} is unreachable from the host: ${said || 'no room'}`, {
      cause: error,
      hint: target.kind === 'unix' ? SOCKET_HINT : NOT_TRIED_HINT,
    });
  return new TunnelError('target_unreachable', `${where} is unreachable from the host: ${said}`, {
    cause: TIMED_OUT.test(words) ? new DOMException(said, 'TimeoutError') : error,
    hint: target.kind === 'unix' ? SOCKET_HINT : undefined,
  });
}
