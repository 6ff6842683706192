import { formatAddress } from '../../base/net/address.ts';
import type { Config, DrainConfig, TunnelConfig } from '../../config/config.ts';
import type { UsageCounts } from '../../telemetry/status/status.ts';
import type { TunnelHistory } from '../evidence/history.ts';
import { stepFacts } from '../plan/step-facts.ts';
import type { WatchedPlan } from '../plan/watch.ts';
import { dependentsOf } from './dependents.ts';
import type { SuccessorFacts, VerdictFacts } from './facts.ts';

/** What is known of a tunnel, each part by those who know it. */
export interface Known {
  readonly now: number;
  readonly config: Pick<Config, 'hosts' | 'tunnels'>;
  readonly plan: WatchedPlan | undefined;
  readonly usage: Pick<UsageCounts, 'open' | 'held' | 'last_activity_at'>;
  /** Undefined while the evidence is not read. */
  readonly history: TunnelHistory | undefined;
  readonly successor: SuccessorFacts | undefined;
  readonly clients: readonly string[];
  readonly cutoverSince: number | undefined;
  readonly cutOver: boolean;
}

/** The daemon looks once a second; with so much more, in milliseconds, a busy machine is no gap. */
const SLACK_MS = 5_000;

/** What the verdict on a tunnel rests on. Pure. */
export function gather(tunnel: TunnelConfig & { readonly drain: DrainConfig }, known: Known): VerdictFacts {
  const { now, config, usage, history } = known;
  const { name, drain, whileDown, direction } = tunnel;
  // A use that the history does not know yet has just been: its own date is the wall clock's, which may be wrong.
  const unseen = usage.last_activity_at !== null && usage.last_activity_at.getTime() !== history?.lastActivityWallAt;
  const seen = [history?.lastActivityAt, unseen ? now : undefined];
  const times = seen.filter((time) => time !== undefined);
  return {
    now,
    tunnel: name,
    step: dueFacts(known.plan, drain.step, new Date(now)),
    // One that nobody watches yet is not healthy: a reload may have brought it a moment ago.
    successor: known.successor ?? unwatched(drain.successor),
    usage: { open: usage.open, held: usage.held, clients: known.clients },
    history: { spans: history?.spans ?? [], lastActivityAt: times.length > 0 ? Math.max(...times) : undefined },
    quietForMs: drain.quietForMs,
    // Of a remote tunnel nothing listens while the link is down: nobody knows who came.
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
 * What the plan file says of the step, or in one sentence why nobody can tell. Fails closed: while the file cannot be used,
 * the plan that was in force before it says nothing either. Pure.
 */
export function dueFacts(watched: WatchedPlan | undefined, step: string, now: Date): VerdictFacts['step'] {
  if (watched && !watched.lastLoad.ok)
    return `the plan cannot be used, so step ${step} cannot be checked: ${watched.lastLoad.error}`;
  return stepFacts(watched?.plan, step, now);
}
