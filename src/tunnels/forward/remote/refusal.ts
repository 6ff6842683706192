import { THEN_RELOAD, TunnelError } from '../../../base/errors.ts';
import { type Address, formatAddress } from '../../../base/net/address.ts';

/** What a direct-tcpip channel to the address met, after the server had refused to listen there. */
export type Look = 'answers' | 'refused' | 'forbidden' | 'unknown';

export interface Refusal {
  readonly listen: Address;
  readonly host: string;
  readonly look: Look;
  /** How long ago a session of ours was lost that held the address or may have, in milliseconds. */
  readonly lostMs: number | undefined;
  readonly cause: TunnelError;
}

const CLIENT_ALIVE =
  'Set ClientAliveInterval 15 and ClientAliveCountMax 3 in sshd_config on the host: sshd then ends a dead session within a minute, not after hours.';

const STALE_SOCKET =
  'sshd leaves the socket of an ended session behind, and that socket blocks the next session. Set StreamLocalBindUnlink yes in sshd_config on the host. Otherwise check AllowStreamLocalForwarding there, and the directory.';

/** With TCPKeepAlive alone, sshd's default, a dead session is noticed after two hours and eleven minutes. */
const GHOST_MS = 3 * 3_600_000;
/** Where the address cannot be looked at, it may as well be that the server has changed its mind meanwhile. */
const UNSEEN_GHOST_MS = 300_000;

/** Whether the address is held, as far as can be known, by the session that we lost: that is waited for. Pure. */
export function isGhost({ look, lostMs }: Pick<Refusal, 'look' | 'lostMs'>): boolean {
  if (lostMs === undefined || look === 'refused') return false;
  return lostMs < (look === 'answers' ? GHOST_MS : UNSEEN_GHOST_MS);
}

/**
 * Names a refused `tcpip-forward` (RFC 4254 section 7.1: the server gives no reason). Pure. What cannot be told apart
 * from here: AllowTcpForwarding, PermitListen, a key or certificate option, a port below 1024.
 */
export function explainRefusal(refusal: Refusal): TunnelError {
  const { listen, host, look, cause } = refusal;
  const where = `${formatAddress(listen)} on ${host}`;
  if (isGhost(refusal)) {
    if (listen.kind === 'tcp' && look !== 'answers')
      return new TunnelError(
        'remote_listen_denied',
        `the server refused to listen on ${where}: our own lost session may still hold the address, or sshd forbids it`,
        {
          cause,
          hint: `The daemon soon asks again. ${CLIENT_ALIVE} Also check AllowTcpForwarding there. ${THEN_RELOAD}`,
        },
      );
    return new TunnelError('remote_listen_in_use', `${where} is still held, probably by our own lost session`, {
      cause,
      hint: listen.kind === 'unix' ? STALE_SOCKET : `The daemon waits until sshd ends that session. ${CLIENT_ALIVE}`,
    });
  }
  switch (look) {
    case 'answers':
      return new TunnelError('remote_listen_in_use', `another listener holds ${where}`, {
        cause,
        hint: `\`ss -ltnp\` on the host names the program. If that is sshd, a dead session of an earlier run may hold the address. ${CLIENT_ALIVE}`,
      });
    case 'refused':
      return new TunnelError(
        'remote_listen_denied',
        `the server forbids us to listen on ${where}; no other program listens there`,
        {
          cause,
          hint: `Check AllowTcpForwarding and PermitListen in sshd_config, and the options of the key or certificate. Only root may listen below port 1024. ${THEN_RELOAD}`,
        },
      );
    case 'forbidden':
      return new TunnelError(
        'remote_listen_denied',
        `the server refused to listen on ${where}, and forbids us to test whether the address is free`,
        {
          cause,
          hint: `Either the server forbids forwarding (AllowTcpForwarding no or a key option), or another program holds the address (\`ss -ltnp\` on the host). ${THEN_RELOAD}`,
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
              : `Check that the host has that address, AllowTcpForwarding and PermitListen in sshd_config, and \`ss -ltnp\` there. ${THEN_RELOAD}`,
        },
      );
  }
}

/** The listener that was granted is on loopback alone. */
export function tooNarrow(listen: Address, host: string): TunnelError {
  return new TunnelError(
    'remote_listen_denied',
    `the server listens on loopback only instead of ${formatAddress(listen)} on ${host}`,
    { hint: `Set GatewayPorts clientspecified in sshd_config on the host, or listen on 127.0.0.1. ${THEN_RELOAD}` },
  );
}

/**
 * How long to wait before the address is asked for again: soon for what frees itself, slowly for what people must mend.
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
