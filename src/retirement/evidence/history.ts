import type { TunnelStateName } from '../../telemetry/status/status.ts';
import type { EvidenceEvent } from './events.ts';
import { type SuccessorHistory, type SuccessorRecord, withRecord } from './successor-record.ts';

/** A longer pause between lines is a gap, in milliseconds: two heartbeats may be late, three may not. */
export const LONGEST_SILENCE_MS = 180_000;

/** Between two lines, the wall clock may differ from the monotonic clock by this much; beyond it, times prove nothing. */
const CLOCK_TOLERANCE_MS = 5_000;

/** A time in which a tunnel was watched and stayed in one state. Milliseconds since the epoch. */
export interface Span {
  readonly from: number;
  readonly until: number;
  readonly state: TunnelStateName;
  /** Whether clients could be served, as far as known. */
  readonly serving: boolean;
}

/** The history of one tunnel. A pause between two spans is time without watching. */
export interface TunnelHistory {
  /** Oldest first. */
  readonly spans: readonly Span[];
  readonly lastActivityAt: number | undefined;
  /** Undefined if no successor was ever probed. */
  readonly successor?: SuccessorHistory | undefined;
}

interface Building {
  spans: { from: number; until: number; state: TunnelStateName; serving: boolean }[];
  lastActivityAt: number | undefined;
  successor: SuccessorHistory | undefined;
  /** Whether the last span still grows. */
  open: boolean;
}

const NOTHING: TunnelHistory = { spans: [], lastActivityAt: undefined };

/** A moment by the wall clock, and by the monotonic clock, which starts at zero in each run. */
export interface Moment {
  readonly at: Date;
  readonly uptimeMs: number;
}

/**
 * The history of all tunnels, built from the evidence. The log at the start and the running daemon feed the same code, so
 * both give the same answers.
 */
export class History {
  readonly #tunnels = new Map<string, Building>();
  /** The last moment of the current run of a daemon; undefined between runs. */
  #last: { readonly wall: number; readonly uptimeMs: number } | undefined;

  of(tunnel: string): TunnelHistory {
    return this.#tunnels.get(tunnel) ?? NOTHING;
  }

  /** Adds the next event, from the log or live; undefined for an event that history does not use. */
  record(event: EvidenceEvent | undefined, moment: Moment): void {
    if (event?.event === 'daemon.started') this.#end();
    this.watched(moment);
    if (event) this.#apply(event, moment.at.getTime());
  }

  /** Extends the watched time to `moment`, without a change. */
  watched({ at, uptimeMs }: Moment): void {
    const wall = at.getTime();
    const last = this.#last;
    this.#last = { wall, uptimeMs };
    if (last && isContinuous(last, this.#last)) this.#extend(wall);
    else this.#resume(wall);
  }

  /** A client connected or transferred bytes. */
  used(tunnel: string, at: Date): void {
    const building = this.#building(tunnel);
    building.lastActivityAt = Math.max(building.lastActivityAt ?? 0, at.getTime());
  }

  /** Forgets spans that ended before `time` (milliseconds since the epoch), to bound memory over months. */
  forget(time: number): void {
    for (const building of this.#tunnels.values()) building.spans = building.spans.filter(({ until }) => until >= time);
  }

  #apply(event: EvidenceEvent, wall: number): void {
    switch (event.event) {
      case 'daemon.started':
        return;
      case 'daemon.stopped':
        this.#end();
        return;
      case 'heartbeat':
        for (const [tunnel, { state, serving, last_activity_at: usedAt, successor }] of Object.entries(event.tunnels)) {
          this.#enter(tunnel, { state, serving }, wall);
          if (usedAt !== null) this.used(tunnel, new Date(usedAt));
          if (successor) this.#checked(tunnel, successor);
        }
        return;
      case 'tunnel.state':
        this.#enter(event.tunnel, { state: event.to, serving: event.serving }, wall);
        return;
      case 'tunnel.used':
        this.used(event.tunnel, new Date(wall));
        return;
      case 'successor.checked':
        this.#checked(event.tunnel, event);
        return;
      case 'tunnel.removed': {
        const building = this.#tunnels.get(event.tunnel);
        if (building) building.open = false;
      }
    }
  }

  #checked(tunnel: string, record: SuccessorRecord): void {
    const building = this.#building(tunnel);
    building.successor = withRecord(building.successor, record);
  }

  #building(tunnel: string): Building {
    const known = this.#tunnels.get(tunnel);
    const building: Building = known ?? { spans: [], lastActivityAt: undefined, successor: undefined, open: false };
    if (!known) this.#tunnels.set(tunnel, building);
    return building;
  }

  #enter(tunnel: string, { state, serving }: Pick<Span, 'state' | 'serving'>, wall: number): void {
    const building = this.#building(tunnel);
    const last = building.spans.at(-1);
    if (building.open && last?.state === state && last.serving === serving) return;
    building.spans.push({ from: wall, until: wall, state, serving });
    building.open = true;
  }

  #extend(until: number): void {
    for (const { open, spans } of this.#tunnels.values()) {
      const span = spans.at(-1);
      if (open && span) span.until = until;
    }
  }

  /** Starts new spans: the time between the last span and now is unknown. */
  #resume(wall: number): void {
    for (const { open, spans } of this.#tunnels.values()) {
      const span = spans.at(-1);
      if (open && span) spans.push({ ...span, from: wall, until: wall });
    }
  }

  /** Ends the run of a daemon: nothing is known until the next run. */
  #end(): void {
    this.#last = undefined;
    for (const building of this.#tunnels.values()) building.open = false;
  }
}

function isContinuous(
  last: { readonly wall: number; readonly uptimeMs: number },
  next: { readonly wall: number; readonly uptimeMs: number },
): boolean {
  const passed = next.wall - last.wall;
  const really = next.uptimeMs - last.uptimeMs;
  return really >= 0 && really <= LONGEST_SILENCE_MS && Math.abs(passed - really) <= CLOCK_TOLERANCE_MS;
}
