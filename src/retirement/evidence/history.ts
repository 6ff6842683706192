import type { TunnelStateName } from '../../telemetry/status/status.ts';
import type { EvidenceEvent } from './events.ts';
import { type SuccessorHistory, type SuccessorRecord, withRecord } from './successor-record.ts';

/** A longer pause between lines is a gap, in milliseconds: two heartbeats may be late, three may not. */
export const LONGEST_SILENCE_MS = 180_000;

/** The daemon tells the last use within this time, in milliseconds. */
const TOLD_WITHIN_MS = 1_500;

/** The wall clock counts as in step with the one that never jumps within this time, in milliseconds. */
const JITTER_MS = 100;

/** Between two lines, the wall clock may differ from the monotonic clock by this much; beyond it, times prove nothing. */
const CLOCK_TOLERANCE_MS = 5_000;

/** A time in which a tunnel was watched and stayed in one state. Milliseconds since the epoch. */
export interface Span {
  readonly from: number;
  readonly until: number;
  readonly state: TunnelStateName;
  /** Whether clients could be served, as far as known. */
  readonly serving: boolean;
  /** Whether the listen address was bound: only then were clients held. */
  readonly listening: boolean;
  /** Whether watching begins with this span: the time before is unknown, or the tunnel was a different one. */
  readonly begins: boolean;
}

/**
 * The history of one tunnel, as of a moment. A pause between two spans is time without watching. Times of the current run are
 * counted back from that moment by the monotonic clock. Times of earlier runs are those of the wall clock, but never later
 * than the current run. So no clock change shortens a quiet period.
 */
export interface TunnelHistory {
  /** Oldest first. */
  readonly spans: readonly Span[];
  readonly lastActivityAt: number | undefined;
  /** The same use, by the wall clock at that time, to compare with other records of use. */
  readonly lastActivityWallAt?: number | undefined;
  /** Undefined if no successor was ever probed. */
  readonly successor?: SuccessorHistory | undefined;
}

/** A moment of a run, by both clocks in milliseconds. */
interface Instant {
  readonly wall: number;
  readonly uptimeMs: number;
}

interface BuildingSpan {
  readonly from: Instant;
  /** Undefined while the span grows: then the last watched moment counts. */
  until: Instant | undefined;
  /** Number of the daemon's run, from 1. */
  readonly run: number;
  readonly begins: boolean;
  readonly state: TunnelStateName;
  readonly serving: boolean;
  readonly listening: boolean;
}

interface Building {
  spans: BuildingSpan[];
  lastActivity: (Instant & { readonly run: number }) | undefined;
  successor: SuccessorHistory | undefined;
  /** Whether the next span begins watching, because the tunnel changed. */
  fresh: boolean;
  /** Whether the last span still grows. */
  open: boolean;
}

/** The place of a daemon. Undefined or null: not recorded. */
interface Origin {
  readonly node?: string | undefined;
  readonly machine?: string | null | undefined;
}

function isOther(before: Origin | undefined, now: Origin): boolean {
  const differs = (a: string | null | undefined, b: string | null | undefined) =>
    typeof a === 'string' && typeof b === 'string' && a !== b;
  return differs(before?.node, now.node) || differs(before?.machine, now.machine);
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
  #last: Instant | undefined;
  #run = 0;
  /** Where the daemon of the last run ran. */
  #origin: Origin | undefined;

  /** @param now default: the last watched moment */
  of(tunnel: string, now: Instant | undefined = this.#last): TunnelHistory {
    const building = this.#tunnels.get(tunnel);
    if (!building) return NOTHING;
    const { spans, lastActivity, successor } = building;
    const clock = new RunClock(this.#run, now, spans.find(({ run }) => run === this.#run)?.from);
    return {
      spans: spans.map((span) => clock.span(span, span.until ?? this.#last ?? span.from)),
      lastActivityAt: lastActivity && clock.time(lastActivity, lastActivity.run),
      lastActivityWallAt: lastActivity?.wall,
      successor,
    };
  }

  /** Adds the next event, from the log or live; undefined for an event that history does not use. */
  record(event: EvidenceEvent | undefined, moment: Moment): void {
    if (event?.event === 'daemon.started') {
      this.#end();
      this.#run++;
    }
    this.watched(moment);
    if (event) this.#apply(event, { wall: moment.at.getTime(), uptimeMs: moment.uptimeMs });
  }

  /** Extends the watched time to `moment`, without a change. */
  watched({ at, uptimeMs }: Moment): void {
    const last = this.#last;
    this.#last = { wall: at.getTime(), uptimeMs };
    // Spans that grow have the last moment as their end: an event costs the same for a thousand tunnels.
    if (last && !isContinuous(last, this.#last)) this.#resume(last, this.#last);
  }

  /** A client connected or transferred bytes. */
  used(tunnel: string, at: Date): void {
    const building = this.#building(tunnel);
    const wall = at.getTime();
    // A different time means a later use, whatever the wall clock says; it happened now at the latest.
    if (wall === building.lastActivity?.wall) return;
    const { wall: heardAt, uptimeMs } = this.#last ?? { wall, uptimeMs: 0 };
    // A date further back than a use is told in is the doing of a wall clock that was set: the use counts as of now.
    const agoMs = heardAt - wall;
    const told = agoMs >= 0 && agoMs <= TOLD_WITHIN_MS;
    building.lastActivity = { wall, uptimeMs: told ? uptimeMs - agoMs : uptimeMs, run: this.#run };
  }

  /** Forgets spans that ended before `time` (milliseconds since the epoch), to bound memory over months. */
  forget(time: number): void {
    for (const building of this.#tunnels.values())
      building.spans = building.spans.filter(({ until }) => until === undefined || until.wall >= time);
  }

  #apply(event: EvidenceEvent, now: Instant): void {
    switch (event.event) {
      case 'daemon.started':
        // Lines of another node or machine say nothing about this one.
        if (isOther(this.#origin, event)) this.#tunnels.clear();
        this.#origin = { node: event.node ?? this.#origin?.node, machine: event.machine ?? this.#origin?.machine };
        return;
      case 'config.in_force':
        // A reload has renamed the node.
        if (isOther(this.#origin, { node: event.node })) this.#beginAnew({ successors: true });
        this.#origin = { ...this.#origin, node: event.node };
        return;
      case 'log.seam':
        this.#beginAnew();
        return;
      case 'log.resumed':
        if (event.dropped > 0) this.#beginAnew();
        return;
      case 'log.damaged':
        this.#beginAnew({ successors: true });
        return;
      case 'daemon.stopped':
        this.#end();
        return;
      case 'heartbeat':
        for (const [tunnel, pulse] of Object.entries(event.tunnels)) {
          const { last_activity_at: usedAt, successor } = pulse;
          this.#enter(tunnel, stateOf(pulse), now);
          if (usedAt !== null) this.used(tunnel, new Date(usedAt));
          if (successor) this.#checked(tunnel, successor);
        }
        return;
      case 'tunnel.state':
        // `from` is null: a new tunnel, even if an earlier one had the same name.
        if (event.from === null) this.#begin(event.tunnel);
        this.#enter(event.tunnel, stateOf({ ...event, state: event.to }), now);
        return;
      case 'tunnel.changed':
        this.#begin(event.tunnel);
        return;
      case 'tunnel.used':
        this.used(event.tunnel, new Date(now.wall));
        return;
      case 'successor.checked':
        this.#checked(event.tunnel, event);
        return;
      case 'tunnel.removed': {
        const building = this.#tunnels.get(event.tunnel);
        if (building) this.#close(building);
      }
    }
  }

  #checked(tunnel: string, record: SuccessorRecord): void {
    const building = this.#building(tunnel);
    building.successor = withRecord(building.successor, record);
  }

  #building(tunnel: string): Building {
    const known = this.#tunnels.get(tunnel);
    const nothing = { spans: [], lastActivity: undefined, successor: undefined, fresh: true, open: false };
    const building: Building = known ?? nothing;
    if (!known) this.#tunnels.set(tunnel, building);
    return building;
  }

  #enter(tunnel: string, state: Pick<Span, 'state' | 'serving' | 'listening'>, now: Instant): void {
    const building = this.#building(tunnel);
    const last = building.spans.at(-1);
    if (building.open && last && !building.fresh && isSame(last, state)) return;
    const begins = building.fresh || !building.open || last?.run !== this.#run;
    if (building.open) endSpan(building, now);
    building.spans.push({ ...state, from: now, until: undefined, run: this.#run, begins });
    building.fresh = false;
    building.open = true;
  }

  /** Restarts watching: the tunnel is a different one. */
  #begin(tunnel: string): void {
    const building = this.#building(tunnel);
    building.fresh = true;
    const last = building.spans.at(-1);
    if (!building.open || !last || !this.#last) return;
    const { state, serving, listening } = last;
    this.#enter(tunnel, { state, serving, listening }, this.#last);
  }

  /** Ends the growing spans at `last`, and starts new ones: the time between them is unknown. */
  #resume(last: Instant, now: Instant): void {
    for (const building of this.#tunnels.values()) {
      const span = building.spans.at(-1);
      if (!building.open || !span) continue;
      endSpan(building, last);
      building.spans.push({ ...span, from: now, until: undefined, run: this.#run, begins: true });
    }
  }

  #close(building: Building): void {
    if (building.open && this.#last) endSpan(building, this.#last);
    building.open = false;
  }

  /** The lines so far are not an unbroken record: watching begins now. The last use is known all the same. */
  #beginAnew({ successors = false } = {}): void {
    if (this.#last) this.#resume(this.#last, this.#last);
    if (successors) for (const building of this.#tunnels.values()) building.successor = undefined;
  }

  /** Ends the run of a daemon: nothing is known until the next run. */
  #end(): void {
    for (const building of this.#tunnels.values()) this.#close(building);
    this.#last = undefined;
  }
}

function endSpan({ spans }: Building, until: Instant): void {
  const span = spans.at(-1);
  if (span) span.until = until;
}

/** Converts times of all runs, as of a moment of the current run. */
class RunClock {
  readonly #run: number;
  readonly #now: Instant | undefined;
  /** When the current run began; undefined while no daemon runs. */
  readonly #startedAt: number | undefined;

  constructor(run: number, now: Instant | undefined, began: Instant | undefined) {
    this.#run = run;
    this.#now = now;
    this.#startedAt = now && began && now.wall - (now.uptimeMs - began.uptimeMs);
  }

  time({ wall, uptimeMs }: Instant, run: number): number {
    if (!this.#now) return wall;
    if (run === this.#run) {
      const time = this.#now.wall - (this.#now.uptimeMs - uptimeMs);
      // The clocks tick a little apart: a date must not differ by a millisecond from one look to the next.
      return Math.abs(time - wall) <= JITTER_MS ? wall : time;
    }
    return Math.min(wall, this.#startedAt ?? this.#now.wall);
  }

  span({ from, run, state, serving, listening, begins }: BuildingSpan, until: Instant): Span {
    const begin = this.time(from, run);
    return { state, serving, listening, begins, from: begin, until: Math.max(begin, this.time(until, run)) };
  }
}

interface ToldState {
  readonly state: TunnelStateName;
  readonly serving: boolean;
  readonly listening?: boolean | undefined;
}

/** Lines of earlier versions lack `listening`: a tunnel that did not serve counts as not listening. */
function stateOf({ state, serving, listening = serving }: ToldState): Pick<Span, 'state' | 'serving' | 'listening'> {
  return { state, serving, listening };
}

function isSame(
  a: Pick<Span, 'state' | 'serving' | 'listening'>,
  b: Pick<Span, 'state' | 'serving' | 'listening'>,
): boolean {
  return a.state === b.state && a.serving === b.serving && a.listening === b.listening;
}

function isContinuous(last: Instant, next: Instant): boolean {
  const passed = next.wall - last.wall;
  const really = next.uptimeMs - last.uptimeMs;
  return really >= 0 && really <= LONGEST_SILENCE_MS && Math.abs(passed - really) <= CLOCK_TOLERANCE_MS;
}
