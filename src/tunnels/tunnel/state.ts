import type { TunnelError } from '../../base/errors.ts';
import type { LinkState, ProbeStatus, TunnelStateName } from '../../telemetry/status/status.ts';
import type { ForwardCondition } from '../forward/forward.ts';

/** Everything a tunnel's state depends on. */
export interface TunnelFacts {
  /** Taken out of the configuration: it lives on only for its open connections. */
  readonly removed: boolean;
  /** An operator has taken it out of service (`down`). */
  readonly suspended: boolean;
  /** It is so for good, and whether its local port stays open for its successor. */
  readonly retired?: { readonly keepsPort: boolean } | undefined;
  /** The daemon ends: so does everything else as soon as it may. */
  readonly stopping: boolean;
  readonly host: string;
  readonly forward: ForwardCondition;
  readonly link: {
    readonly state: LinkState;
    readonly lastError: TunnelError | undefined;
    /** Why it goes by a stand-in for the credential that it should have; undefined when it does not. */
    readonly standIn?: TunnelError | undefined;
  };
  /** Undefined for a tunnel without a probe. */
  readonly probe: { readonly state: ProbeStatus['state']; readonly lastError: TunnelError | undefined } | undefined;
  /** The peer's verdict on the last connection, if it was a refusal and nothing has succeeded since. */
  readonly targetError: TunnelError | undefined;
  /** Client connections open. */
  readonly open: number;
}

export interface TunnelState {
  readonly state: TunnelStateName;
  /** One sentence for a tired operator; null only when all is well. */
  readonly reason: string | null;
  /** What the reason speaks of, if that is an error: its code and hint fit the reason. */
  readonly error: TunnelError | undefined;
}

/** A tunnel's state and the reason for it. Pure; the order of the questions is the order of what must be mended first. */
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
        `its SSH forward has ended for good, ${facts.retired.keepsPort ? 'its local port is with the successor' : 'nothing listens'}; ` +
        `\`fleet-mesh up\` brings it back${facts.open > 0 ? `; ${connections(facts.open)} still open` : ''}`,
      error: undefined,
    };
  if (facts.suspended)
    return {
      state: 'stopped',
      reason:
        'taken out of service with `fleet-mesh down`, until `fleet-mesh up` or a restart of the daemon' +
        (facts.open > 0 ? `; ${connections(facts.open)} still open` : ''),
      error: undefined,
    };
  // Without a session nothing can listen on the far side: then the link is what must be mended.
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
  if (link.standIn)
    return { state: 'degraded', reason: `the link goes by its ${link.standIn.message}`, error: link.standIn };
  if (facts.forward.kind === 'unverified')
    return {
      state: 'unverified',
      reason: facts.forward.error?.message ?? 'not proven yet: the first connection to its listener is under way',
      error: facts.forward.error,
    };
  if (probe?.state === 'pending')
    return { state: 'unverified', reason: unprovenReason(probe.lastError), error: probe.lastError };
  return { state: 'up', reason: null, error: undefined };
}

function linkReason(host: string, { state, lastError }: TunnelFacts['link']): string {
  if (!lastError) return `no SSH session to ${host} yet: connecting for the first time`;
  const why = `no SSH session to ${host}: ${lastError.message}`;
  return state === 'blocked' ? `${why}. Somebody must act` : why;
}

function unprovenReason(lastError: TunnelError | undefined): string {
  return lastError ? `not proven yet: ${lastError.message}` : 'not proven yet: the first probe is under way';
}

function connections(count: number): string {
  return count === 1 ? '1 connection' : `${count} connections`;
}
