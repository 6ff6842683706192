import { formatAddress } from '../../base/net/address.ts';
import type { Config, DrainConfig, TunnelConfig } from '../../config/config.ts';
import type { UsageCounts } from '../../telemetry/status/status.ts';
import type { TunnelHistory } from '../evidence/history.ts';
import { stepFacts } from '../plan/step-facts.ts';
import type { WatchedPlan } from '../plan/watch.ts';
import { dependentsOf } from './dependents.ts';
import type { SuccessorFacts, UnwrittenFacts, VerdictFacts } from './facts.ts';

/** Everything the daemon knows about a tunnel. */
export interface Known {
  readonly now: number;
  readonly config: Pick<Config, 'hosts' | 'tunnels'>;
  readonly plan: WatchedPlan | undefined;
  readonly usage: Pick<UsageCounts, 'open' | 'held' | 'last_activity_at'>;
  /** Undefined until the evidence has been read. */
  readonly history: TunnelHistory | undefined;
  readonly unwritten: UnwrittenFacts | undefined;
  readonly successor: SuccessorFacts | undefined;
  readonly clients: readonly string[];
  readonly cutoverSince: number | undefined;
  readonly cutOver: boolean;
}

/** The daemon looks once a second. A delay up to this, in milliseconds, means a busy machine, not a gap. */
const SLACK_MS = 5_000;

/** Collects the facts for the verdict on a tunnel. Pure. */
export function gather(tunnel: TunnelConfig & { readonly drain: DrainConfig }, known: Known): VerdictFacts {
  const { now, config, usage, history } = known;
  const { name, drain, whileDown, direction } = tunnel;
  // A use that is not in the history yet happened just now: its own time is from the wall clock, which may be wrong.
  const unseen = usage.last_activity_at !== null && usage.last_activity_at.getTime() !== history?.lastActivityWallAt;
  const seen = [history?.lastActivityAt, unseen ? now : undefined];
  const times = seen.filter((time) => time !== undefined);
  return {
    now,
    tunnel: name,
    step: dueFacts(known.plan, drain.step, new Date(now)),
    // A successor without probes is not healthy: a reload may have just added it.
    successor: known.successor ?? unwatched(drain.successor),
    usage: { open: usage.open, held: usage.held, clients: known.clients },
    history: { spans: history?.spans ?? [], lastActivityAt: times.length > 0 ? Math.max(...times) : undefined },
    unwritten: known.unwritten,
    quietForMs: drain.quietForMs,
    // The listener of a remote tunnel is gone while the link is down: nobody sees the clients.
    holdMs: direction !== 'remote' && whileDown.kind === 'hold' ? whileDown.holdMs : 0,
    slackMs: SLACK_MS,
    dependents: dependentsOf(tunnel, config),
    cutoverSince: known.cutoverSince,
    cutOver: known.cutOver,
    rollback: drain.rollback,
  };
}

function unwatched(successor: DrainConfig['successor']): SuccessorFacts | undefined {
  if (!successor) return undefined;
  const { target, healthyForMs } = successor;
  return { target: formatAddress(target), healthyForMs, healthySince: undefined, lastError: undefined };
}

/**
 * What the plan file says about the step, or one sentence: why that is unknown. Fails closed: while the file is invalid,
 * the previous plan does not count either. Pure.
 */
export function dueFacts(watched: WatchedPlan | undefined, step: string, now: Date): VerdictFacts['step'] {
  if (watched && !watched.lastLoad.ok)
    return `the plan is invalid, so step ${step} cannot be checked: ${watched.lastLoad.error}`;
  return stepFacts(watched?.plan, step, now);
}
