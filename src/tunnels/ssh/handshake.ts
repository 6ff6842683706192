import { TunnelError } from '../../base/errors.ts';
import { printable } from '../../base/text/printable.ts';

/** The steps between a TCP connection and a usable session, in order (RFC 4253 section 4.2, section 7; RFC 4252). */
export type HandshakeStep = 'banner' | 'kex' | 'auth';

/** What is known when a handshake has ended without a session. */
export interface HandshakeEnd {
  readonly step: HandshakeStep;
  /** As shown to the operator: who was dialled. */
  readonly peer: string;
  /** The step ran out of time. */
  readonly timedOut: boolean;
  readonly stepTimeoutMs: number;
  /** The verdict of our own host key check, if it was reached and said no. */
  readonly hostKey: TunnelError | undefined;
  /** The first error that ssh2 reported, if any: a close without one is usual. */
  readonly error: Error | undefined;
  /** The first bytes that the peer sent, up to its identification line. */
  readonly greeting: string;
  readonly username: string;
  /** What was offered, as shown to the operator. */
  readonly offered: string;
  /** What would help when that is rejected; undefined where the usual is right. */
  readonly ifRejected: string | undefined;
}

/** ssh2 labels its errors with a level; a server's SSH_MSG_DISCONNECT has none, but a numeric code. */
const levelOf = (error: Error | undefined): unknown =>
  error !== undefined && 'level' in error ? error.level : undefined;

/** RFC 4250 section 4.2.2; OpenSSH sends the first for "Too many authentication failures". */
const DISCONNECT_PROTOCOL_ERROR = 2;
const DISCONNECT_NO_MORE_AUTH_METHODS = 14;

const LIMITED =
  'The server may limit connections: MaxStartups, PerSourcePenalties, or fail2ban on the host; look into its log.';

/** Names a failed handshake. Pure; the table of what ssh2 emits in which case is what this reads from. */
export function explainHandshake(end: HandshakeEnd): TunnelError {
  if (end.hostKey) return end.hostKey;
  const cause = end.error ? { cause: end.error } : {};
  const within = `within ${end.stepTimeoutMs} ms`;
  switch (end.step) {
    case 'banner':
      return explainBanner(end, cause, within);
    case 'kex':
      if (end.timedOut)
        return new TunnelError('kex_failed', `${end.peer} did not finish the key exchange ${within}`, cause);
      if (levelOf(end.error) === 'handshake')
        return new TunnelError('kex_failed', `key exchange with ${end.peer} failed: ${end.error?.message}`, cause);
      return new TunnelError('connection_reset', `${end.peer} cut the connection during the key exchange`, cause);
    case 'auth':
      return explainAuth(end, cause, within);
  }
}

function explainBanner(end: HandshakeEnd, cause: { cause?: unknown }, within: string): TunnelError {
  const said = printable(end.greeting, 120).trim();
  if (end.timedOut)
    return new TunnelError('connect_timeout', `${end.peer} accepted the connection but sent no SSH banner ${within}`, {
      ...cause,
      hint: 'Something accepts the connection and stays silent: an overloaded sshd, a firewall, or another service.',
    });
  // sshd 9.8 and later say this line instead of a banner while a source address is penalised (sshd_config, PerSourcePenalties).
  if (said.includes('Not allowed at this time'))
    return new TunnelError('penalised', `${end.peer} refuses this address for a while: "${said}"`, cause);
  if (said !== '' && !said.startsWith('SSH-') && !said.includes('MaxStartups'))
    return new TunnelError('kex_failed', `${end.peer} does not speak SSH: it said "${said}"`, {
      ...cause,
      hint: 'Check address and port: another service answers there.',
    });
  return new TunnelError('connection_reset', `${end.peer} cut the connection before the SSH banner`, {
    ...cause,
    hint: LIMITED,
  });
}

function explainAuth(end: HandshakeEnd, cause: { cause?: unknown }, within: string): TunnelError {
  if (end.timedOut)
    return new TunnelError('connect_timeout', `${end.peer} did not answer the authentication ${within}`, cause);
  const level = levelOf(end.error);
  const code: unknown = end.error && 'code' in end.error ? end.error.code : undefined;
  const refused =
    level === 'client-authentication' ||
    level === 'agent' ||
    code === DISCONNECT_PROTOCOL_ERROR ||
    code === DISCONNECT_NO_MORE_AUTH_METHODS;
  if (refused) {
    const why = level === 'agent' ? `: ssh-agent: ${printable(end.error?.message ?? '', 120)}` : '';
    return new TunnelError(
      'auth_rejected',
      `${end.peer} rejected the login of ${end.username} with ${end.offered}${why}`,
      { ...cause, hint: end.ifRejected },
    );
  }
  return new TunnelError('connection_reset', `${end.peer} cut the connection during authentication`, {
    ...cause,
    hint: LIMITED,
  });
}
