import { CATALOGUE, THEN_RELOAD, TunnelError } from '../../../base/errors.ts';
import { type Address, formatAddress } from '../../../base/net/address.ts';

/** The result of a direct-tcpip channel to the address, after the server refused to listen there. */
export type Look = 'answers' | 'refused' | 'forbidden' | 'unknown';

export interface Refusal {
  readonly listen: Address;
  readonly host: string;
  readonly look: Look;
  /** How long ago a session was lost that may hold the address, in milliseconds; undefined: none. */
  readonly lostMs: number | undefined;
  /** How to end dead sessions, in the words of the server; undefined: settings of sshd. */
  readonly endGhosts?: string | undefined;
  readonly cause: TunnelError;
}

const CLIENT_ALIVE =
  'Set ClientAliveInterval 15 and ClientAliveCountMax 3 in sshd_config on the host: sshd then ends a dead session within a minute, not after hours.';

const SOCKET_RULES =
  'Check AllowStreamLocalForwarding in sshd_config, and the options of the key or certificate. The user must be able to write to the directory.';

const STALE_SOCKET =
  'sshd leaves the socket of an ended session behind, and that socket blocks the next session. Set StreamLocalBindUnlink yes in sshd_config on the host. Otherwise check AllowStreamLocalForwarding there, and the directory.';

/** With TCPKeepAlive alone, sshd's default, a dead session is noticed after two hours and eleven minutes. */
const GHOST_MS = 3 * 3_600_000;
/** The limit when the address cannot be tested: the server may forbid the address by now. */
const UNSEEN_GHOST_MS = 300_000;

/** Whether our lost session probably holds the address, so that waiting helps. Pure. */
export function isGhost({ look, lostMs }: Pick<Refusal, 'look' | 'lostMs'>): boolean {
  if (lostMs === undefined || look === 'refused') return false;
  return lostMs < (look === 'answers' ? GHOST_MS : UNSEEN_GHOST_MS);
}

/**
 * Explains a refused `tcpip-forward` (RFC 4254 section 7.1: the server gives no reason). Pure. Four causes look alike
 * from here: AllowTcpForwarding, PermitListen, a key or certificate option, a port below 1024.
 */
export function explainRefusal(refusal: Refusal): TunnelError {
  const { listen, host, look, cause, endGhosts = CLIENT_ALIVE } = refusal;
  const where = `${formatAddress(listen)} on ${host}`;
  if (isGhost(refusal)) {
    if (listen.kind === 'tcp' && look !== 'answers')
      return new TunnelError(
        'remote_listen_denied',
        `the server refused to listen on ${where}: our own lost session may still hold the address, or sshd forbids it`,
        {
          cause,
          hint: `The daemon tries again soon. ${endGhosts} Also check AllowTcpForwarding there. ${THEN_RELOAD}`,
        },
      );
    return new TunnelError('remote_listen_in_use', `${where} is still held, probably by our own lost session`, {
      cause,
      hint: listen.kind === 'unix' ? STALE_SOCKET : `The daemon waits until the server ends that session. ${endGhosts}`,
    });
  }
  switch (look) {
    case 'answers':
      return new TunnelError('remote_listen_in_use', `another listener holds ${where}`, {
        cause,
        hint: `Run \`ss -ltnp\` on the host to find the program. If the SSH server is the program, a dead session of an earlier run may hold the address. ${endGhosts}`,
      });
    case 'refused':
      return new TunnelError(
        'remote_listen_denied',
        `the server forbids us to listen on ${where}; no other program listens there`,
        {
          cause,
          hint: ownHint(cause) ?? `${rulesFor(listen)} ${THEN_RELOAD}`,
        },
      );
    case 'forbidden':
      return new TunnelError(
        'remote_listen_denied',
        `the server refused to listen on ${where}, and forbids us to test whether the address is free`,
        {
          cause,
          hint:
            ownHint(cause) ??
            `${
              listen.kind === 'unix'
                ? SOCKET_RULES
                : 'Either the server forbids forwarding (AllowTcpForwarding no or a key option), or another program holds the address (`ss -ltnp` on the host).'
            } ${THEN_RELOAD}`,
        },
      );
    case 'unknown':
      return new TunnelError(
        'remote_listen_denied',
        `the server refused to listen on ${where}, for an unknown reason`,
        {
          cause,
          hint:
            listen.kind === 'unix'
              ? STALE_SOCKET
              : (ownHint(cause) ??
                `Check that the host has that address, AllowTcpForwarding and PermitListen in sshd_config, and \`ss -ltnp\` there. ${THEN_RELOAD}`),
        },
      );
  }
}

/** The settings of sshd that forbid to listen at the address. */
function rulesFor(listen: Address): string {
  if (listen.kind === 'unix') return SOCKET_RULES;
  const privileged = listen.port < 1024 ? ' Only root may listen below port 1024.' : '';
  return `sshd_config needs AllowTcpForwarding yes or remote. PermitListen there, and permitlisten= of the key, must allow ${formatAddress(listen)}. A certificate needs permit-port-forwarding.${privileged}`;
}

/** The hint of the session, when the session knows a better one than the usual hint about sshd. */
function ownHint(cause: TunnelError): string | undefined {
  return cause.hint === CATALOGUE[cause.code].hint ? undefined : cause.hint;
}

/** The error when the granted listener is on loopback only. `fix`: in the words of the server; undefined: settings of sshd. */
export function tooNarrow(listen: Address, host: string, fix: string | undefined): TunnelError {
  return new TunnelError(
    'remote_listen_denied',
    `the server listens on loopback only instead of ${formatAddress(listen)} on ${host}`,
    {
      hint:
        fix ?? `Set GatewayPorts clientspecified in sshd_config on the host, or listen on 127.0.0.1. ${THEN_RELOAD}`,
    },
  );
}

/** The error when nobody listens at the granted address. */
export function absent(listen: Address, host: string): TunnelError {
  const where = `${formatAddress(listen)} on ${host}`;
  return new TunnelError('remote_listen_in_use', `the server granted ${where}, but does not listen there`, {
    hint: 'Another program probably had the address until now. The daemon asks again; run `ss -ltnp` on the host if that does not help.',
  });
}

/**
 * How long to wait before the next request: short when the address frees itself, long when an operator must fix the cause.
 */
const SOON_MS = 20;
const SOON_CAP_MS = 3_000;
const TAKEN_MS = 30_000;
const DENIED_MS = 60_000;

/**
 * Pause before the next request to listen, in milliseconds, jittered downwards by up to a quarter.
 *
 * @param failures requests that failed in a row before this one
 * @param random uniform in [0, 1)
 */
export function rebindDelayMs(error: TunnelError, ghost: boolean, failures: number, random: number): number {
  const jitter = 1 - random / 4;
  if (!ghost && error.code === 'remote_listen_denied') return DENIED_MS * jitter;
  if (!ghost && error.code === 'remote_listen_in_use') return TAKEN_MS * jitter;
  return Math.min(SOON_CAP_MS, SOON_MS * 2 ** Math.min(failures, 10)) * jitter;
}
