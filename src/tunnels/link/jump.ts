import { type ErrorCode, TunnelError } from '../../base/errors.ts';
import { formatAddress, type TcpAddress } from '../../base/net/address.ts';
import type { LinkState } from '../../telemetry/status/status.ts';
import type { Channel } from '../channel/channel-source.ts';

/** A channel to a host's sshd, over a session to its jump host. */
export interface Carrier {
  readonly channel: Channel;
  /** The session under the channel is on its way out: what runs over it is to be replaced first. */
  readonly leaving: boolean;
  /** What ran over the channel has fallen silent: is the session under it alive? */
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
  whenReady(signal: AbortSignal): Promise<void>;
  /** Opens a channel for a session, each on the session that carries the fewest. */
  carry(target: TcpAddress, signal: AbortSignal): Promise<Carrier>;
}

/** Why nothing is reached through a jump host that is down: its own trouble, under the same code. */
export function strandedError({ hostName, lastError }: Pick<JumpLink, 'hostName' | 'lastError'>): TunnelError {
  const why = lastError ? `: ${lastError.message}` : '';
  return new TunnelError(
    lastError?.code ?? 'connection_reset',
    `its jump host ${hostName} is not reachable${why}`,
    lastError && { cause: lastError, hint: lastError.hint },
  );
}

/** The jump host's verdicts on a channel, as what they mean to one who wants an SSH session to `target`. */
const VERDICTS: Partial<
  Record<ErrorCode, { readonly code: ErrorCode; readonly what: string; readonly hint?: string }>
> = {
  target_refused: { code: 'connect_refused', what: 'refused the connection' },
  target_unreachable: {
    code: 'connect_timeout',
    what: 'is not reached',
    hint: 'Check name resolution, routing and firewalls between the jump host and the host.',
  },
  forward_denied: { code: 'forward_denied', what: 'may not be reached' },
};

/** An error of {@link JumpLink.carry} in words of the link that wanted the channel. */
export function carryError(target: TcpAddress, hostName: string, error: TunnelError): TunnelError {
  const verdict = VERDICTS[error.code];
  // Not under the code of the other link's trouble: a login rejected there says nothing of ours.
  if (!verdict)
    return new TunnelError('connection_reset', `its jump host ${hostName} is not reachable: ${error.message}`, {
      cause: error,
    });
  const { code, what, hint } = verdict;
  return new TunnelError(code, `${formatAddress(target)} ${what} from jump host ${hostName}`, { cause: error, hint });
}
