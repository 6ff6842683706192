import { TunnelError } from '../../base/errors.ts';
import { type Address, formatAddress } from '../../base/net/address.ts';
import { printable } from '../../base/text/printable.ts';

/** SSH_MSG_CHANNEL_OPEN_FAILURE reason codes (RFC 4254 section 5.1). */
const ADMINISTRATIVELY_PROHIBITED = 1;
const CONNECT_FAILED = 2;
const UNKNOWN_CHANNEL_TYPE = 3;

/** sshd says "open failed" for each of these, and no more. */
const SOCKET_HINT =
  'sshd does not say why: check on the host that the socket exists, is served and is writable for the user, ' +
  'and that sshd allows it (AllowStreamLocalForwarding).';

/** What the server's refusal of a channel means; undefined when `error` is no answer of the server. */
export function explainOpenFailure(target: Address, error: Error): TunnelError | undefined {
  const reason = 'reason' in error ? error.reason : undefined;
  if (typeof reason !== 'number') return undefined;
  const where = formatAddress(target);
  // The reason code tells only that the connect failed; sshd's description is strerror(3) of what happened.
  // Its words end up on terminals.
  const said = printable(error.message.replace(/^\(SSH\) Channel open failure: /, ''), 120);
  if (reason === ADMINISTRATIVELY_PROHIBITED)
    return new TunnelError('forward_denied', `the server forbids a channel to ${where}`, { cause: error });
  if (reason === UNKNOWN_CHANNEL_TYPE)
    return new TunnelError('forward_denied', `the server cannot open a channel to ${where}`, {
      cause: error,
      hint:
        target.kind === 'unix'
          ? 'Unix sockets on the far side need OpenSSH 6.7 or later there; use a TCP target.'
          : 'The server does not know direct-tcpip channels: it is made for something else than forwarding.',
    });
  if (reason === CONNECT_FAILED && said === 'Connection refused')
    return new TunnelError('target_refused', `${where} refused the connection`, { cause: error });
  return new TunnelError('target_unreachable', `${where} is not reached from the host: ${said}`, {
    cause: said === 'Connection timed out' ? new DOMException(said, 'TimeoutError') : error,
    hint: target.kind === 'unix' ? SOCKET_HINT : undefined,
  });
}
