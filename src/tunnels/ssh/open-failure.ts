import { TunnelError } from '../../base/errors.ts';
import { type Address, formatAddress } from '../../base/net/address.ts';
import { printable } from '../../base/text/printable.ts';

/** SSH_MSG_CHANNEL_OPEN_FAILURE reason codes (RFC 4254 section 5.1). */
const ADMINISTRATIVELY_PROHIBITED = 1;
const CONNECT_FAILED = 2;
const UNKNOWN_CHANNEL_TYPE = 3;

/** sshd gives only "open failed" for all of these reasons. */
const SOCKET_HINT =
  'On the host, check that a service listens on the socket and that the user may write to it. ' +
  'Also check AllowStreamLocalForwarding in sshd_config.';

/** The error for a channel that the server refused; undefined when `error` is not an answer of the server. */
export function explainOpenFailure(target: Address, error: Error): TunnelError | undefined {
  const reason = 'reason' in error ? error.reason : undefined;
  if (typeof reason !== 'number') return undefined;
  const where = formatAddress(target);
  // The reason code says only that the connect failed; sshd's description is strerror(3) of the cause. The text is
  // filtered because it appears on terminals.
  const said = printable(error.message.replace(/^\(SSH\) Channel open failure: /, ''), 120);
  if (reason === ADMINISTRATIVELY_PROHIBITED)
    return new TunnelError('forward_denied', `the server forbids a channel to ${where}`, { cause: error });
  if (reason === UNKNOWN_CHANNEL_TYPE)
    return new TunnelError('forward_denied', `the server cannot open a channel to ${where}`, {
      cause: error,
      hint:
        target.kind === 'unix'
          ? 'A Unix socket on the host needs OpenSSH 6.7 or later there. Otherwise use a TCP target.'
          : 'The server does not support direct-tcpip channels. Use a server that supports forwarding.',
    });
  if (reason === CONNECT_FAILED && said === 'Connection refused')
    return new TunnelError('target_refused', `${where} refused the connection`, { cause: error });
  return new TunnelError('target_unreachable', `${where} is unreachable from the host: ${said}`, {
    cause: said === 'Connection timed out' ? new DOMException(said, 'TimeoutError') : error,
    hint: target.kind === 'unix' ? SOCKET_HINT : undefined,
  });
}
