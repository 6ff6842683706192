import type { Signal } from '../../base/async/signal.ts';
import { type ErrorCode, TunnelError } from '../../base/errors.ts';
import { formatAddress, type TcpAddress } from '../../base/net/address.ts';
import type { LinkState } from '../../telemetry/status/status.ts';
import type { Channel } from '../channel/channel-source.ts';

/** A channel to a host's sshd, over a session to the jump host. */
export interface Carrier {
  readonly channel: Channel;
  /** The session under the channel is leaving: the session over it must be replaced first. */
  readonly leaving: boolean;
  /** The session over the channel fell silent: checks whether the session under it is alive. */
  check(): void;
}

/** What a link needs of the link to its jump host. */
export interface JumpLink {
  /** Name of the jump host. */
  readonly hostName: string;
  readonly ready: boolean;
  readonly state: LinkState;
  readonly lastError: TunnelError | undefined;
  readonly nextAttemptAt: Date | undefined;
  whenReady(signal: Signal): Promise<void>;
  /** Opens a channel for a session, on the session that carries the fewest. */
  carry(target: TcpAddress, signal: Signal): Promise<Carrier>;
}

/** Why a host behind a jump host is unreachable: the jump host's own error, under the same code. */
export function strandedError({ hostName, lastError }: Pick<JumpLink, 'hostName' | 'lastError'>): TunnelError {
  const why = lastError ? `: ${lastError.message}` : '';
  return new TunnelError(
    lastError?.code ?? 'connection_reset',
    `jump host ${hostName} is unreachable${why}`,
    lastError && { cause: lastError, hint: lastError.hint },
  );
}

/** The jump host's answers to a request for a channel, translated for a link that wants an SSH session to `target`. */
const VERDICTS: Partial<
  Record<ErrorCode, { readonly code: ErrorCode; say(target: string, jump: string): string; readonly hint?: string }>
> = {
  target_refused: {
    code: 'connect_refused',
    say: (target, jump) => `${target} refused the connection from jump host ${jump}`,
  },
  target_unreachable: {
    code: 'connect_timeout',
    say: (target, jump) => `${target} is unreachable from jump host ${jump}`,
    hint: 'Check name resolution, routing and firewalls between the jump host and the host.',
  },
  forward_denied: {
    code: 'forward_denied',
    say: (target, jump) => `jump host ${jump} forbids connections to ${target}`,
  },
};

/** Translates an error of {@link JumpLink.carry} for the link that wanted the channel. */
export function carryError(target: TcpAddress, hostName: string, error: TunnelError): TunnelError {
  const verdict = VERDICTS[error.code];
  // Not the other link's code: a login rejected by the jump host says nothing about this link's credential.
  if (!verdict)
    return new TunnelError('connection_reset', `jump host ${hostName} is unreachable: ${error.message}`, {
      cause: error,
    });
  const { code, say, hint } = verdict;
  return new TunnelError(code, say(formatAddress(target), hostName), { cause: error, hint });
}
