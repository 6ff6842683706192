import type { Config, DrainConfig, TunnelConfig } from '../../config/config.ts';
import type { TakeNote } from '../../telemetry/happening.ts';
import type { ClientStatus, TunnelStatus, UsageCounts } from '../../telemetry/status/status.ts';
import { clientText } from '../../tunnels/clients/client.ts';
import type { TunnelHistory } from '../evidence/history.ts';
import type { WatchedPlan } from '../plan/watch.ts';
import { findingAnswer, type VerdictAnswer } from './answer.ts';
import type { UnwrittenFacts } from './facts.ts';
import { gather } from './gather.ts';
import type { RetiredTunnels } from './retired.ts';
import type { Successors } from './successors.ts';
import { judge, type Verdict } from './verdict.ts';

export interface VerdictsDependencies {
  config(): Config;
  plan(): WatchedPlan | undefined;
  /** Undefined until the evidence has been read. */
  historyOf(tunnel: string): TunnelHistory | undefined;
  /** Why the evidence is not on the disk now; undefined while it is. */
  unwritten(): UnwrittenFacts | undefined;
  /** Use of the tunnel through SSH in this run; undefined for a tunnel that is not running. */
  usageOf(tunnel: string): UsageCounts | undefined;
  /** The clients of the tunnel on this node. */
  clientsOf(tunnel: string, now: Date): readonly ClientStatus[];
  /** When the cut-over in progress began, in milliseconds since the epoch; undefined if there is none. */
  cutoverSince(tunnel: string): number | undefined;
  /** Whether a committed cut-over leads the local port of the tunnel to its successor. */
  cutOver(tunnel: string): boolean;
  readonly successors: Pick<Successors, 'factsOf'>;
  readonly retired: Pick<RetiredTunnels, 'of'>;
  readonly note: TakeNote;
}

type Retiring = TunnelConfig & { readonly drain: DrainConfig };

function isRetiring(tunnel: TunnelConfig): tunnel is Retiring {
  return tunnel.drain !== undefined;
}

/** The retirement verdicts on the tunnels of this node. */
export class Verdicts {
  readonly #deps: VerdictsDependencies;
  /** The last recorded verdict of each tunnel. */
  readonly #recorded = new Map<string, Verdict['verdict']>();

  constructor(deps: VerdictsDependencies) {
    this.#deps = deps;
  }

  /** The verdict on a tunnel; undefined if the tunnel has no `drain:` or is retired. */
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
      unwritten: this.#deps.unwritten(),
      successor: this.#deps.successors.factsOf(name, history?.successor),
      clients: clientsSince(this.#deps.clientsOf(name, now), now.getTime() - tunnel.drain.quietForMs),
      cutoverSince: this.#deps.cutoverSince(name),
      cutOver: this.#deps.cutOver(name),
    });
    return judge(facts);
  }

  /** The verdict on a tunnel in the snapshot; null if there is none. */
  statusOf(name: string, now: Date): TunnelStatus['retirement'] {
    const verdict = this.on(name, now);
    return verdict ? summary(verdict) : null;
  }

  /** The answer of `/drain/{tunnel}`; undefined for a name that is not configured. */
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
      blockers: verdict?.blockers.map(findingAnswer) ?? [],
      unknowns: verdict?.unknowns.map(findingAnswer) ?? [],
      rollback: tunnel.drain?.rollback ?? null,
    };
  }

  /** Records changed verdicts as evidence; call once a second. */
  tick(now: Date): void {
    for (const name of this.#recorded.keys()) if (!this.#judged(name)) this.#recorded.delete(name);
    for (const name of this.#deps.config().tunnels.keys()) {
      // Most tunnels have no verdict. Until the evidence has been read, no tunnel has one to record.
      if (!this.#judged(name) || this.#deps.historyOf(name) === undefined) continue;
      const found = this.on(name, now);
      if (!found || found.verdict === this.#recorded.get(name)) continue;
      this.#recorded.set(name, found.verdict);
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
    return tunnel && isRetiring(tunnel) && !this.#deps.retired.of(name) ? tunnel : undefined;
  }

  #inService({ tunnels }: Config): ReadonlyMap<string, TunnelConfig> {
    return new Map([...tunnels].filter(([name]) => !this.#deps.retired.of(name)));
  }
}

const UNUSED = { open: 0, held: 0, last_activity_at: null };

const NO_DRAIN = 'the tunnel has no `drain:` section in the configuration';

function summary({ verdict, blockers, unknowns }: Verdict): NonNullable<TunnelStatus['retirement']> {
  return {
    verdict,
    blockers: blockers.map(({ code }) => code),
    unknowns: unknowns.map(({ code }) => code),
    waiting_helps: [...blockers, ...unknowns].every(({ clearsByItself }) => clearsByItself),
  };
}

/** The verdict in one line. */
function sentence({ verdict, blockers, unknowns }: Verdict): string {
  if (verdict === 'retirable') return 'no blockers and no unknowns: the tunnel may be retired';
  const codes = [...blockers, ...unknowns].map(({ code }) => code).join(', ');
  return verdict === 'blocked' ? `blocked: ${codes}` : `unknown: ${codes}`;
}

/** Names of the clients that are connected now or were after `time` (milliseconds since the epoch). */
function clientsSince(clients: readonly ClientStatus[], time: number): string[] {
  return clients.filter(({ open, last_seen_at }) => open > 0 || last_seen_at.getTime() >= time).map(clientText);
}
