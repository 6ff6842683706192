import type { TunnelError } from '../../base/errors.ts';
import type { LinkState, ProbeStatus, TunnelStateName } from '../../telemetry/status/status.ts';
import type { ForwardCondition } from '../forward/forward.ts';

/** The facts that decide a tunnel's state. */
export interface TunnelFacts {
  /** Removed from the configuration: only its open connections are left. */
  readonly removed: boolean;
  /** Taken out of service by an operator (`down`). */
  readonly suspended: boolean;
  /** Retired for good; `keepsPort`: the local port stays open for the successor. */
  readonly retired?: { readonly keepsPort: boolean } | undefined;
  /** The daemon is stopping. */
  readonly stopping: boolean;
  /** Name of the tunnel, for the commands in the reason. */
  readonly tunnel: string;
  readonly host: string;
  readonly forward: ForwardCondition;
  readonly link: {
    readonly state: LinkState;
    readonly lastError: TunnelError | undefined;
    /** Why the link uses a fallback credential; undefined when it does not. */
    readonly fallbackReason?: TunnelError | undefined;
  };
  /** Undefined for a tunnel without a probe. */
  readonly probe: { readonly state: ProbeStatus['state']; readonly lastError: TunnelError | undefined } | undefined;
  /** Why the last connection to the target failed; undefined after a success. */
  readonly targetError: TunnelError | undefined;
  /** Client connections open. */
  readonly open: number;
}

export interface TunnelState {
  readonly state: TunnelStateName;
  /** One sentence for the operator; null only in state `up`. */
  readonly reason: string | null;
  /** The error that the reason describes: its code and hint fit the reason. */
  readonly error: TunnelError | undefined;
}

/** A tunnel's state and its reason. Pure; the reason to fix first comes first. */
export function tunnelState(facts: TunnelFacts): TunnelState {
  const { link, probe } = facts;
  if (facts.stopping)
    return {
      state: 'stopped',
      reason: `the daemon is stopping; ${connections(facts.open)} still open`,
      error: undefined,
    };
  if (facts.removed)
    return {
      state: 'draining',
      reason: `removed from the configuration; ${connections(facts.open)} still open`,
      error: undefined,
    };
  if (facts.retired)
    return {
      state: 'retired',
      reason:
        `the SSH forward has ended permanently; ${facts.retired.keepsPort ? 'the successor serves the local port' : 'nothing listens on the address'}; ` +
        `\`fleet-mesh up ${facts.tunnel}\` brings the tunnel back${facts.open > 0 ? `; ${connections(facts.open)} still open` : ''}`,
      error: undefined,
    };
  if (facts.suspended)
    return {
      state: 'stopped',
      reason:
        `out of service (\`fleet-mesh down\`); to start again: \`fleet-mesh up ${facts.tunnel}\` or a daemon restart` +
        (facts.open > 0 ? `; ${connections(facts.open)} still open` : ''),
      error: undefined,
    };
  // Without a session nothing can listen on the far side: then the link must be fixed first.
  if (facts.forward.kind === 'unbound' && (facts.forward.error || link.state === 'up'))
    return {
      state: 'down',
      reason: facts.forward.error?.message ?? 'the listen address is not bound yet',
      error: facts.forward.error,
    };
  if (link.state !== 'up') return { state: 'down', reason: linkReason(facts.host, link), error: link.lastError };
  if (probe?.state === 'failing')
    return {
      state: 'degraded',
      reason: `the probe through the tunnel fails: ${probe.lastError?.message ?? 'no answer'}`,
      error: probe.lastError,
    };
  if (facts.targetError)
    return {
      state: 'degraded',
      reason: `the last connection failed: ${facts.targetError.message}`,
      error: facts.targetError,
    };
  if (link.fallbackReason)
    return {
      state: 'degraded',
      reason: `the link uses its ${link.fallbackReason.message}`,
      error: link.fallbackReason,
    };
  if (facts.forward.kind === 'unverified')
    return {
      state: 'unverified',
      reason: facts.forward.error?.message ?? 'not proven yet: the first test connection to the listener is running',
      error: facts.forward.error,
    };
  if (probe?.state === 'pending')
    return { state: 'unverified', reason: unprovenReason(probe.lastError), error: probe.lastError };
  return { state: 'up', reason: null, error: undefined };
}

function linkReason(host: string, { state, lastError }: TunnelFacts['link']): string {
  if (!lastError) return `no SSH session to ${host} yet: connecting for the first time`;
  const why = `no SSH session to ${host}: ${lastError.message}`;
  return state === 'blocked' ? `${why}; manual fix required` : why;
}

function unprovenReason(lastError: TunnelError | undefined): string {
  return lastError ? `not proven yet: ${lastError.message}` : 'not proven yet: the first probe is running';
}

function connections(count: number): string {
  return count === 1 ? '1 connection' : `${count} connections`;
}
