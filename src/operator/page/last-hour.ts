import { z } from 'zod';
import type { OwnTunnelStatus, TunnelStatus } from '../../telemetry/status/status.ts';

/** Time between two samples, in milliseconds. */
const EVERY_MS = 15_000;
/** Samples of one hour. */
const MOST = 240;

/** One letter for each state, so that an hour of a tunnel is one short text. */
const LETTERS: Readonly<Record<TunnelStatus['state'], string>> = {
  up: 'u',
  degraded: 'g',
  down: 'd',
  unverified: 'v',
  draining: 'w',
  retired: 'r',
  stopped: 's',
};

/** The answer of `GET /history`: the states of all tunnels in the last hour. */
export const hourAnswer = z.object({
  schema: z.literal(1),
  /** Time between two samples, in seconds. */
  every_s: z.number(),
  /** The time of the last sample; null before the first one. */
  until: z.iso.datetime().nullable(),
  tunnels: z.array(
    z.object({
      name: z.string(),
      /** A letter for each sample, oldest first: u up, g degraded, d down, v unverified, w draining, r retired, s stopped. */
      states: z.string(),
    }),
  ),
});
export type HourAnswer = z.infer<typeof hourAnswer>;

/** The answer of `GET /history/{tunnel}`. All lists have the same length, oldest sample first. */
export const tunnelHourAnswer = z.object({
  schema: z.literal(1),
  tunnel: z.string(),
  every_s: z.number(),
  until: z.iso.datetime().nullable(),
  states: z.string(),
  open: z.array(z.number()),
  /** Bytes in a second since the sample before. */
  to_target: z.array(z.number()),
  from_target: z.array(z.number()),
  /** Null without a passing probe. */
  probe_ms: z.array(z.number().nullable()),
});
export type TunnelHourAnswer = z.infer<typeof tunnelHourAnswer>;

type Sampled = Pick<OwnTunnelStatus, 'name' | 'state' | 'usage' | 'probe'>;

/** The part of a snapshot that is kept. The whole snapshot costs five times as much. */
export interface HourSample {
  readonly now: Date;
  readonly tunnels: readonly Sampled[];
}

/** The samples of a tunnel, oldest first: a list for each number, since objects for a thousand tunnels cost 20 MB. */
interface Recorded {
  states: string;
  readonly open: number[];
  readonly toTarget: number[];
  readonly fromTarget: number[];
  readonly probeMs: (number | null)[];
  /** Counts at the last sample. */
  bytesTo: number;
  bytesFrom: number;
}

/** The last hour of every tunnel, for the charts of the status page. In memory only, and bounded. */
export class LastHour {
  readonly #tunnels = new Map<string, Recorded>();
  #sampledAt = Number.NEGATIVE_INFINITY;
  #until: Date | null = null;

  /**
   * Takes a sample if one is due.
   *
   * @param now milliseconds of the monotonic clock
   */
  tick(sample: () => HourSample, now: number): void {
    const elapsedMs = now - this.#sampledAt;
    if (elapsedMs < EVERY_MS) return;
    this.#sampledAt = now;
    const { tunnels, now: at } = sample();
    this.#until = at;
    const names = new Set(tunnels.map(({ name }) => name));
    for (const name of this.#tunnels.keys()) if (!names.has(name)) this.#tunnels.delete(name);
    for (const tunnel of tunnels) this.#add(tunnel, elapsedMs / 1_000);
  }

  all(): HourAnswer {
    return {
      schema: 1,
      ...this.#times(),
      tunnels: [...this.#tunnels].map(([name, { states }]) => ({ name, states })),
    };
  }

  /** Undefined for a tunnel without samples. */
  of(tunnel: string): TunnelHourAnswer | undefined {
    const recorded = this.#tunnels.get(tunnel);
    if (recorded === undefined) return undefined;
    const { states, open, toTarget, fromTarget, probeMs } = recorded;
    const hour = { states, open, to_target: toTarget, from_target: fromTarget, probe_ms: probeMs };
    return { schema: 1, tunnel, ...this.#times(), ...hour };
  }

  #times() {
    return { every_s: EVERY_MS / 1_000, until: this.#until?.toISOString() ?? null };
  }

  #add({ name, state, usage, probe }: Sampled, seconds: number): void {
    const { bytes_to_target: bytesTo, bytes_from_target: bytesFrom } = usage;
    const recorded = this.#tunnels.get(name) ?? nothingYet(bytesTo, bytesFrom);
    // A count that went back is that of a new tunnel with the name.
    const perSecond = (after: number, before: number) => Math.round(Math.max(0, after - before) / seconds);
    recorded.states = `${recorded.states}${LETTERS[state]}`.slice(-MOST);
    keep(recorded.open, usage.open);
    keep(recorded.toTarget, perSecond(bytesTo, recorded.bytesTo));
    keep(recorded.fromTarget, perSecond(bytesFrom, recorded.bytesFrom));
    keep(recorded.probeMs, probe?.state === 'passing' ? probe.latency_ms : null);
    recorded.bytesTo = bytesTo;
    recorded.bytesFrom = bytesFrom;
    this.#tunnels.set(name, recorded);
  }
}

function nothingYet(bytesTo: number, bytesFrom: number): Recorded {
  return { states: '', open: [], toTarget: [], fromTarget: [], probeMs: [], bytesTo, bytesFrom };
}

function keep<T>(samples: T[], latest: T): void {
  samples.push(latest);
  if (samples.length > MOST) samples.shift();
}
