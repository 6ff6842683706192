import { CATALOGUE, TunnelError } from '../../base/errors.ts';
import { printable } from '../../base/text/printable.ts';
import { isMisread, saidBy } from './guard/session-error.ts';
import { onlySsh1, otherService } from './other-service.ts';

/** The steps between a TCP connection and a usable session, in order (RFC 4253 section 4.2, section 7; RFC 4252). */
export type HandshakeStep = 'banner' | 'kex' | 'auth';

/** What a server said about a login before it ended the login. */
export interface LoginAnswer {
  /** The methods that may go on; undefined: the server sent no list. */
  readonly methods?: readonly string[];
  /** The server accepted the credential, and wants more. */
  readonly partial?: boolean;
  /** The server accepts RSA keys with SHA-1 alone. */
  readonly onlySha1?: boolean;
  /** SSH_MSG_USERAUTH_BANNER, unfiltered. */
  readonly banner?: string;
}

/** The facts about a handshake that ended without a session. */
export interface HandshakeEnd {
  readonly step: HandshakeStep;
  /** Name of the host in messages. */
  readonly peer: string;
  /** The step ran out of time. */
  readonly timedOut: boolean;
  readonly stepTimeoutMs: number;
  /** The error of our host key check; undefined when the check passed or was not reached. */
  readonly hostKey: TunnelError | undefined;
  /** The first error of ssh2, if any: a close often comes without one. */
  readonly error: Error | undefined;
  /** The first bytes that the peer sent, up to its identification line. */
  readonly greeting: string;
  readonly username: string;
  /** The offered credential, as shown in messages. */
  readonly offered: string;
  /** What both sides have not in common, as a sentence; undefined if there is enough in common, or the offer is unknown. */
  readonly disagreement: string | undefined;
  /** Hint when the credential is rejected; undefined: the usual hint. */
  readonly ifRejected: string | undefined;
  /** What the server said about the login. */
  readonly answer: LoginAnswer;
}

/** ssh2's errors have a level. A server's SSH_MSG_DISCONNECT has a numeric code instead. */
const levelOf = (error: Error | undefined): unknown =>
  error !== undefined && 'level' in error ? error.level : undefined;

/** RFC 4250 section 4.2.2; OpenSSH sends the first for "Too many authentication failures". */
const DISCONNECT_PROTOCOL_ERROR = 2;
const DISCONNECT_NO_MORE_AUTH_METHODS = 14;

const LIMITED =
  "The host may limit connections (MaxStartups, PerSourcePenalties, fail2ban). Check sshd's log on the host.";

/** The error for a failed handshake, from the events that ssh2 emits in each case. Pure. */
export function explainHandshake(end: HandshakeEnd): TunnelError {
  if (end.hostKey) return end.hostKey;
  const cause = end.error ? { cause: end.error } : {};
  const within = `within ${end.stepTimeoutMs} ms`;
  switch (end.step) {
    case 'banner':
      return explainBanner(end, cause, within);
    case 'kex':
      if (onlySsh1(end.greeting) !== undefined) return explainSsh1(end, cause);
      if (end.timedOut)
        return new TunnelError('kex_failed', `${end.peer} did not finish the key exchange ${within}`, cause);
      if (levelOf(end.error) === 'handshake')
        return new TunnelError(
          'kex_failed',
          `key exchange with ${end.peer} failed: ${end.disagreement ?? printable(end.error?.message ?? '', 120)}`,
          cause,
        );
      if (end.error && isMisread(end.error)) return misread(end, end.error, 'key exchange');
      return new TunnelError('connection_reset', `${end.peer} closed the connection during the key exchange`, cause);
    case 'auth':
      return explainAuth(end, cause, within);
  }
}

function misread({ peer }: HandshakeEnd, error: Error, step: string): TunnelError {
  const said = saidBy(error);
  return new TunnelError(
    'protocol_error',
    `${peer} and this node do not understand each other in the ${step}: ${said}`,
    {
      cause: error,
    },
  );
}

function explainBanner(end: HandshakeEnd, cause: { cause?: unknown }, within: string): TunnelError {
  const said = printable(end.greeting, 120).trim();
  if (end.timedOut)
    return new TunnelError('connect_timeout', `${end.peer} accepted the connection but sent no SSH banner ${within}`, {
      ...cause,
      hint: 'An overloaded sshd, a firewall or another service accepts the connection, but does not answer.',
    });
  // sshd 9.8 and later send this line instead of a banner to a penalised address (sshd_config, PerSourcePenalties).
  if (said.includes('Not allowed at this time'))
    return new TunnelError('penalised', `${end.peer} temporarily refuses the address of this node: "${said}"`, cause);
  if (said !== '' && !said.startsWith('SSH-') && !said.includes('MaxStartups')) {
    const service = otherService(end.greeting);
    return new TunnelError(
      'kex_failed',
      `${end.peer} is not an SSH server: ${service ?? 'another service'} says "${said}"`,
      {
        ...cause,
        hint: `Check address and port: ${service ?? 'another service'} answers.`,
      },
    );
  }
  return new TunnelError('connection_reset', `${end.peer} closed the connection before the SSH banner`, {
    ...cause,
    hint: LIMITED,
  });
}

function explainAuth(end: HandshakeEnd, cause: { cause?: unknown }, within: string): TunnelError {
  if (end.timedOut) return new TunnelError('connect_timeout', `${end.peer} did not answer the login ${within}`, cause);
  if (end.error && isMisread(end.error)) return misread(end, end.error, 'login');
  const level = levelOf(end.error);
  const code: unknown = end.error && 'code' in end.error ? end.error.code : undefined;
  const refused =
    level === 'client-authentication' ||
    level === 'agent' ||
    code === DISCONNECT_PROTOCOL_ERROR ||
    code === DISCONNECT_NO_MORE_AUTH_METHODS;
  if (refused) {
    const wants = explainWants(end, cause);
    if (wants) return wants;
    const why = level === 'agent' ? `: ssh-agent: ${printable(end.error?.message ?? '', 120)}` : '';
    return new TunnelError(
      'auth_rejected',
      `${end.peer} rejected the login of ${end.username} with ${end.offered}${why}`,
      { ...cause, hint: withBanner(end.ifRejected ?? rejectedHint(end), end.answer) },
    );
  }
  return new TunnelError('connection_reset', `${end.peer} closed the connection during the login`, {
    ...cause,
    hint: LIMITED,
  });
}

/** sshd refuses an excluded user in the same words as a wrong key. */
function rejectedHint({ greeting, username }: HandshakeEnd): string {
  const { hint } = CATALOGUE.auth_rejected;
  if (!/^SSH-[^\n]*openssh/im.test(greeting)) return hint;
  return `${hint} Also check ${username === 'root' ? 'PermitRootLogin, ' : ''}AllowUsers, DenyUsers and PubkeyAcceptedAlgorithms in sshd_config.`;
}

function explainSsh1(end: HandshakeEnd, cause: { cause?: unknown }): TunnelError {
  const line = printable(onlySsh1(end.greeting) ?? '', 120);
  return new TunnelError('kex_failed', `${end.peer} speaks only SSH 1, which is insecure: "${line}"`, {
    ...cause,
    hint: 'Update the server, or turn on SSH 2 there (on Cisco IOS: `ip ssh version 2`).',
  });
}

/** The error for a server that wants something else than a key, or something besides. */
function explainWants(end: HandshakeEnd, cause: { cause?: unknown }): TunnelError | undefined {
  const { methods = [], partial = false, onlySha1 = false } = end.answer;
  const list = printable(methods.join(', '), 120);
  const more = list === 'publickey' ? 'a second key' : `a second factor: ${list}`;
  // Another key than an RSA key would have been offered, and refused with a list of methods.
  if (onlySha1 && end.answer.methods === undefined)
    return new TunnelError(
      'auth_rejected',
      `${end.peer} accepts RSA keys only with SHA-1, and so cannot accept ${end.offered} of ${end.username}`,
      { ...cause, hint: 'Use an ed25519 key, or update the server (OpenSSH 7.2 and later accept SHA-2).' },
    );
  if (partial && methods.length > 0)
    return new TunnelError(
      'auth_rejected',
      `${end.peer} accepted ${end.offered} of ${end.username}, and wants ${more}`,
      {
        ...cause,
        hint: withBanner(
          'A daemon cannot answer a second factor. Let the server accept the key alone for this user ' +
            '(OpenSSH: `AuthenticationMethods publickey` in a Match block).',
          end.answer,
        ),
      },
    );
  if (methods.length > 0 && !methods.includes('publickey'))
    return new TunnelError('auth_rejected', `${end.peer} accepts no keys of ${end.username}: it wants ${list}`, {
      ...cause,
      hint: withBanner(
        'fleet-mesh logs in with keys and certificates only. Allow keys for this user on the server ' +
          '(OpenSSH: `PubkeyAuthentication yes`).',
        end.answer,
      ),
    });
  return undefined;
}

/** A banner may say why: an expired account, for example. Most banners are legal texts, so only the start is shown. */
function withBanner(hint: string, { banner = '' }: LoginAnswer): string {
  const said = printable(banner, 160).trim();
  return said === '' ? hint : `${hint} The banner of the server says: "${said}"`;
}
