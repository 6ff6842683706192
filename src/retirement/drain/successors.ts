import { isDeepStrictEqual } from 'node:util';
import type { TunnelError } from '../../base/errors.ts';
import { formatAddress } from '../../base/net/address.ts';
import { bootId, sinceBootMs } from '../../base/this-machine.ts';
import type { SuccessorConfig, TunnelConfig } from '../../config/config.ts';
import type { TakeNote } from '../../telemetry/happening.ts';
import type { ChannelSource } from '../../tunnels/channel/channel-source.ts';
import { Prober } from '../../tunnels/probe/prober.ts';
import type { Validity } from '../../tunnels/probe/tls.ts';
import type { BootMoment, SuccessorHistory, SuccessorRecord } from '../evidence/successor-record.ts';
import type { SuccessorFacts } from './facts.ts';
import { extended, type Streak } from './streak.ts';

/** The wall clock counts as in step with the clock of the boot within this time, in milliseconds. */
const JITTER_MS = 100;

export interface SuccessorsDependencies {
  /** Connects from this node, without SSH. */
  readonly source: ChannelSource;
  readonly note: TakeNote;
  /** Uniform in [0, 1). */
  random(): number;
}

interface Watched {
  config: SuccessorConfig;
  readonly prober: Prober;
  readonly stop: AbortController;
  streak: Streak | undefined;
  lastError: TunnelError | undefined;
  asked: boolean;
}

/** Probes the successor of each tunnel and remembers since when each one is healthy. */
export class Successors {
  readonly #deps: SuccessorsDependencies;
  readonly #watched = new Map<string, Watched>();

  constructor(deps: SuccessorsDependencies) {
    this.#deps = deps;
  }

  /** Starts, changes and stops probes to match the tunnels; unchanged probes go on undisturbed. */
  apply(tunnels: ReadonlyMap<string, Pick<TunnelConfig, 'name' | 'drain'>>): void {
    for (const [name, { stop }] of this.#watched) {
      if (tunnels.get(name)?.drain?.successor) continue;
      stop.abort();
      this.#watched.delete(name);
    }
    for (const { name, drain } of tunnels.values()) if (drain?.successor) this.#watch(name, drain.successor);
  }

  /** The facts about the tunnel's successor for a verdict, from this run and from the evidence. */
  factsOf(
    tunnel: string,
    history: SuccessorHistory | undefined,
    now: BootMoment = present(),
  ): SuccessorFacts | undefined {
    const watched = this.#watched.get(tunnel);
    if (!watched) return undefined;
    const { config, streak, lastError } = watched;
    const facts = { target: formatAddress(config.target), healthyForMs: config.healthyForMs };
    if (!streak) return { ...facts, healthySince: undefined, lastError: lastError?.message };
    // A daemon that hung has not probed.
    if (now.sinceBootMs - streak.last.sinceBootMs > withinMs(config))
      return { ...facts, healthySince: undefined, lastError: 'the last probe is too old' };
    const known =
      history?.passingSince?.sinceBootMs === streak.since.sinceBootMs && history.subject === subjectOf(config);
    const since = known ? (history.healthySince ?? streak.since) : streak.since;
    const provedUntil = datedBack(streak.last, now);
    return { ...facts, healthySince: datedBack(since, now), provedUntil, lastError: undefined };
  }

  /** The certificate that the probe of the tunnel's successor last saw; undefined without TLS. */
  validityOf(tunnel: string): Validity | undefined {
    return this.#watched.get(tunnel)?.prober.validity;
  }

  /** For a heartbeat of the evidence. */
  recordOf(tunnel: string): SuccessorRecord | undefined {
    const watched = this.#watched.get(tunnel);
    return watched?.asked ? record(watched) : undefined;
  }

  /** Ends all probes and records their results as evidence, so that a quick restart continues from them. */
  stop(): void {
    for (const [tunnel, watched] of this.#watched) {
      watched.stop.abort();
      if (watched.asked) this.#report(tunnel, watched);
    }
    this.#watched.clear();
  }

  #watch(tunnel: string, config: SuccessorConfig): void {
    const known = this.#watched.get(tunnel);
    if (known) {
      const { target, probe } = known.config;
      const same = isDeepStrictEqual([target, probe.check], [config.target, config.probe.check]);
      known.config = config;
      if (!same) {
        known.streak = undefined;
        known.lastError = undefined;
      }
      known.prober.reconfigure(config.probe, config.target);
      return;
    }
    const stop = new AbortController();
    const watched: Watched = {
      config,
      stop,
      streak: undefined,
      lastError: undefined,
      asked: false,
      prober: new Prober(
        { config: config.probe, target: config.target },
        {
          source: this.#deps.source,
          observeSeconds: () => {},
          random: this.#deps.random,
          onResult: ({ error }) => this.#onResult(tunnel, watched, error),
        },
      ),
    };
    this.#watched.set(tunnel, watched);
    void watched.prober.run(stop.signal);
  }

  /** A failed check ends the streak, whatever comes after. */
  #onResult(tunnel: string, watched: Watched, error: TunnelError | undefined): void {
    const before = watched.streak;
    const after = error ? undefined : extended(before, present(), withinMs(watched.config));
    const first = !watched.asked;
    watched.asked = true;
    watched.lastError = error;
    if (before && after && begunAt(before) !== begunAt(after)) {
      // The time between the two streaks is unknown: they must not merge.
      watched.streak = undefined;
      this.#report(tunnel, watched);
    }
    watched.streak = after;
    if (first || begunAt(before) !== begunAt(after)) this.#report(tunnel, watched);
  }

  #report(tunnel: string, watched: Watched): void {
    const error = watched.streak ? null : (watched.lastError?.message ?? null);
    this.#deps.note({ event: 'successor.checked', tunnel, ...record(watched), error });
  }
}

function present(): BootMoment {
  return { sinceBootMs: sinceBootMs(), wall: Date.now() };
}

/** Counted back from now: the wall clock only labels. In milliseconds since the epoch. */
function datedBack({ sinceBootMs: since, wall }: BootMoment, now: BootMoment): number {
  const time = now.wall - (now.sinceBootMs - since);
  // The clocks tick a little apart: a date must not differ by a millisecond from one look to the next.
  return Math.abs(time - wall) <= JITTER_MS ? wall : time;
}

function begunAt(streak: Streak | undefined): number | undefined {
  return streak?.since.sinceBootMs;
}

/** Longest time between two consecutive checks, including jitter and a slow answer, in milliseconds. */
function withinMs({ probe }: SuccessorConfig): number {
  return 2 * probe.everyMs + probe.timeoutMs;
}

function subjectOf({ target, probe }: SuccessorConfig): string {
  return `${formatAddress(target)} ${JSON.stringify(probe.check)}`;
}

function record({ config, streak }: Watched): SuccessorRecord {
  return {
    subject: subjectOf(config),
    passing_since: streak ? new Date(streak.since.wall).toISOString() : null,
    last_passed_at: streak ? new Date(streak.last.wall).toISOString() : null,
    passing_since_ms: streak?.since.sinceBootMs ?? null,
    last_passed_ms: streak?.last.sinceBootMs ?? null,
    boot: bootId() ?? null,
    within_ms: withinMs(config),
  };
}
