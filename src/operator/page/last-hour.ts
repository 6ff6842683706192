import { z } from 'zod';
import type { Status, TunnelStatus } from '../../telemetry/status/status.ts';

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

interface Sample {
  readonly state: string;
  readonly open: number;
  readonly toTarget: number;
  readonly fromTarget: number;
  readonly probeMs: number | null;
}

interface Recorded {
  readonly samples: Sample[];
  bytes: { readonly to: number; readonly from: number };
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
  tick(snapshot: () => Status, now: number): void {
    const elapsedMs = now - this.#sampledAt;
    if (elapsedMs < EVERY_MS) return;
    this.#sampledAt = now;
    const { tunnels, now: at } = snapshot();
    this.#until = at;
    const names = new Set(tunnels.map(({ name }) => name));
    for (const name of this.#tunnels.keys()) if (!names.has(name)) this.#tunnels.delete(name);
    for (const tunnel of tunnels) this.#add(tunnel, elapsedMs / 1_000);
  }

  all(): HourAnswer {
    return {
      schema: 1,
      ...this.#times(),
      tunnels: [...this.#tunnels].map(([name, { samples }]) => ({ name, states: statesOf(samples) })),
    };
  }

  /** Undefined for a tunnel without samples. */
  of(tunnel: string): TunnelHourAnswer | undefined {
    const recorded = this.#tunnels.get(tunnel);
    if (recorded === undefined) return undefined;
    const { samples } = recorded;
    return {
      schema: 1,
      tunnel,
      ...this.#times(),
      states: statesOf(samples),
      open: samples.map(({ open }) => open),
      to_target: samples.map(({ toTarget }) => toTarget),
      from_target: samples.map(({ fromTarget }) => fromTarget),
      probe_ms: samples.map(({ probeMs }) => probeMs),
    };
  }

  #times() {
    return { every_s: EVERY_MS / 1_000, until: this.#until?.toISOString() ?? null };
  }

  #add({ name, state, usage, probe }: TunnelStatus, seconds: number): void {
    const bytes = { to: usage.bytes_to_target, from: usage.bytes_from_target };
    const recorded = this.#tunnels.get(name) ?? { samples: [], bytes };
    // A count that went back is that of a new tunnel with the name.
    const perSecond = (after: number, before: number) => Math.round(Math.max(0, after - before) / seconds);
    recorded.samples.push({
      state: LETTERS[state],
      open: usage.open,
      toTarget: perSecond(bytes.to, recorded.bytes.to),
      fromTarget: perSecond(bytes.from, recorded.bytes.from),
      probeMs: probe?.state === 'passing' ? probe.latency_ms : null,
    });
    if (recorded.samples.length > MOST) recorded.samples.shift();
    recorded.bytes = bytes;
    this.#tunnels.set(name, recorded);
  }
}

function statesOf(samples: readonly Sample[]): string {
  return samples.map(({ state }) => state).join('');
}
