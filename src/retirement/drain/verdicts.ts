import type { Config, DrainConfig, TunnelConfig } from '../../config/config.ts';
import type { TakeNote } from '../../telemetry/happening.ts';
import type { ClientStatus, TunnelStatus, UsageCounts } from '../../telemetry/status/status.ts';
import { clientText } from '../../tunnels/clients/client.ts';
import type { TunnelHistory } from '../evidence/history.ts';
import type { WatchedPlan } from '../plan/watch.ts';
import { tellFinding, type VerdictAnswer } from './answer.ts';
import { gather } from './gather.ts';
import type { RetiredTunnels } from './retired.ts';
import type { Successors } from './successors.ts';
import { judge, type Verdict } from './verdict.ts';

export interface VerdictsDependencies {
  config(): Config;
  plan(): WatchedPlan | undefined;
  /** Undefined while the evidence is not read. */
  historyOf(tunnel: string): TunnelHistory | undefined;
  /** What clients did with the tunnel through SSH, in this run; undefined for a tunnel that does not run. */
  usageOf(tunnel: string): UsageCounts | undefined;
  /** Its clients on this node. */
  clientsOf(tunnel: string, now: Date): readonly ClientStatus[];
  /** Since when a cut-over of the tunnel is under way, in milliseconds since the epoch; undefined while none is. */
  cutoverSince(tunnel: string): number | undefined;
  /** Whether a committed cut-over leads the local port of the tunnel to its successor. */
  cutOver(tunnel: string): boolean;
  readonly successors: Pick<Successors, 'factsOf'>;
  readonly retired: Pick<RetiredTunnels, 'of'>;
  readonly note: TakeNote;
}

type Retiring = TunnelConfig & { readonly drain: DrainConfig };

/** The retirement verdicts on the tunnels of this node, from what everybody here knows. */
export class Verdicts {
  readonly #deps: VerdictsDependencies;
  /** What was told last. */
  readonly #told = new Map<string, Verdict['verdict']>();

  constructor(deps: VerdictsDependencies) {
    this.#deps = deps;
  }

  /** The verdict on a tunnel; undefined for one that has no `drain:`, or is retired. */
  on(name: string, now: Date): Verdict | undefined {
    const tunnel = this.#judged(name);
    if (!tunnel) return undefined;
    const config = this.#deps.config();
    const history = this.#deps.historyOf(name);
    const facts = gather(tunnel, {
      now: now.getTime(),
      config: { hosts: config.hosts, tunnels: this.#inService(config) },
      plan: this.#deps.plan(),
      usage: this.#deps.usageOf(name) ?? UNUSED,
      history,
      successor: this.#deps.successors.factsOf(name, history?.successor, now.getTime()),
      clients: clientsSince(this.#deps.clientsOf(name, now), now.getTime() - tunnel.drain.quietForMs),
      cutoverSince: this.#deps.cutoverSince(name),
      cutOver: this.#deps.cutOver(name),
    });
    return judge(facts);
  }

  /** What the snapshot shows of the verdict on a tunnel; null where there is none. */
  statusOf(name: string, now: Date): TunnelStatus['retirement'] {
    const verdict = this.on(name, now);
    return verdict ? summary(verdict) : null;
  }

  /** What `/drain/{tunnel}` answers; undefined for a name that is not configured. */
  answer(name: string, now: Date): VerdictAnswer | undefined {
    const tunnel = this.#deps.config().tunnels.get(name);
    if (!tunnel) return undefined;
    const verdict = this.on(name, now);
    const retired = this.#deps.retired.of(name);
    return {
      tunnel: name,
      verdict: verdict?.verdict ?? null,
      message: verdict ? sentence(verdict) : retired ? `retired since ${retired.at}` : NO_DRAIN,
      retired_at: retired?.at ?? null,
      checked_at: now.toISOString(),
      blockers: verdict?.blockers.map(tellFinding) ?? [],
      unknowns: verdict?.unknowns.map(tellFinding) ?? [],
      rollback: tunnel.drain?.rollback ?? null,
    };
  }

  /** To be called once a second: a verdict that has changed is evidence. */
  tick(now: Date): void {
    for (const name of this.#told.keys()) if (!this.#judged(name)) this.#told.delete(name);
    for (const name of this.#deps.config().tunnels.keys()) {
      // While the evidence is being read nothing can be concluded, and that is no news.
      if (this.#deps.historyOf(name) === undefined) continue;
      const found = this.on(name, now);
      if (!found || found.verdict === this.#told.get(name)) continue;
      this.#told.set(name, found.verdict);
      this.#deps.note({
        event: 'drain.verdict',
        tunnel: name,
        verdict: found.verdict,
        blockers: found.blockers.map(({ code }) => code),
        unknowns: found.unknowns.map(({ code }) => code),
        reason: sentence(found),
      });
    }
  }

  #judged(name: string): Retiring | undefined {
    const tunnel = this.#deps.config().tunnels.get(name);
    if (!tunnel?.drain || this.#deps.retired.of(name)) return undefined;
    return { ...tunnel, drain: tunnel.drain };
  }

  #inService({ tunnels }: Config): ReadonlyMap<string, TunnelConfig> {
    return new Map([...tunnels].filter(([name]) => !this.#deps.retired.of(name)));
  }
}

const UNUSED = { open: 0, held: 0, last_activity_at: null };

const NO_DRAIN = 'the tunnel has no drain section in the configuration';

function summary({ verdict, blockers, unknowns }: Verdict): NonNullable<TunnelStatus['retirement']> {
  return {
    verdict,
    blockers: blockers.map(({ code }) => code),
    unknowns: unknowns.map(({ code }) => code),
    waiting_helps: [...blockers, ...unknowns].every(({ clearsByItself }) => clearsByItself),
  };
}

/** One line for people. */
function sentence({ verdict, blockers, unknowns }: Verdict): string {
  if (verdict === 'retirable') return 'no blockers and no unknowns: the tunnel may be retired';
  const codes = [...blockers, ...unknowns].map(({ code }) => code).join(', ');
  return verdict === 'blocked' ? `blocked: ${codes}` : `unknown: ${codes}`;
}

/** By name, those that are there or were since that time (milliseconds since the epoch). */
function clientsSince(clients: readonly ClientStatus[], time: number): string[] {
  return clients.filter(({ open, last_seen_at }) => open > 0 || last_seen_at.getTime() >= time).map(clientText);
}
