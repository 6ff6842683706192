import type { TunnelStateName } from '../../telemetry/status/status.ts';
import type { EvidenceEvent } from './events.ts';
import { type SuccessorHistory, type SuccessorRecord, withRecord } from './successor-record.ts';

/** Without a line for this long nobody was watching: two heartbeats may be late, three are a gap. */
export const LONGEST_SILENCE_MS = 180_000;

/** How far the wall clock may run from the one that never jumps, between two lines, before times prove nothing. */
const CLOCK_TOLERANCE_MS = 5_000;

/** A time during which a tunnel was watched, and was in one state. Milliseconds since the epoch. */
export interface Span {
  readonly from: number;
  readonly until: number;
  readonly state: TunnelStateName;
  /** Whether clients were served, as far as is known. */
  readonly serving: boolean;
  /** Whether the listen address was bound: only then a client that came was held. */
  readonly listening: boolean;
  /** Whether a watch begins with this span: nothing is known of the time right before, or the tunnel was another one. */
  readonly begins: boolean;
}

/**
 * What the evidence says of one tunnel, as of a moment. Between two spans that do not touch, nobody watched. Times of the present run are counted back from that moment by the clock that never jumps; times of earlier
 * runs are those of the wall clock, but never later than the present run. So no clock shortens a quiet period.
 */
export interface TunnelHistory {
  /** Oldest first. */
  readonly spans: readonly Span[];
  readonly lastActivityAt: number | undefined;
  /** The same use, by the wall clock of its time: whoever knows of another one knows of a later one. */
  readonly lastActivityWallAt?: number | undefined;
  /** Undefined where none was ever asked. */
  readonly successor?: SuccessorHistory | undefined;
}

/** A moment of a run, by both clocks in milliseconds. */
interface Instant {
  readonly wall: number;
  readonly uptimeMs: number;
}

interface BuildingSpan {
  readonly from: Instant;
  until: Instant;
  /** Which run of a daemon, counted from 1. */
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
  /** The next span begins a watch: the tunnel is another one than before. */
  anew: boolean;
  /** Whether the last span still grows. */
  open: boolean;
}

const NOTHING: TunnelHistory = { spans: [], lastActivityAt: undefined };

/** When something is known to have been so: by the wall clock, and by one that never jumps but begins anew at each start. */
export interface Moment {
  readonly at: Date;
  readonly uptimeMs: number;
}

/**
 * The evidence, folded into what verdicts and availability ask of it. The same fold is fed from the log at start and from
 * the running daemon, so that both come to the same answers.
 */
export class History {
  readonly #tunnels = new Map<string, Building>();
  /** The last moment of the present run of a daemon; undefined while none runs. */
  #last: Instant | undefined;
  #run = 0;

  /** @param now by default the last moment that was watched */
  of(tunnel: string, now: Instant | undefined = this.#last): TunnelHistory {
    const building = this.#tunnels.get(tunnel);
    if (!building) return NOTHING;
    const { spans, lastActivity, successor } = building;
    const clock = new RunClock(this.#run, now, spans.find(({ run }) => run === this.#run)?.from);
    return {
      spans: spans.map((span) => clock.span(span)),
      lastActivityAt: lastActivity && clock.time(lastActivity, lastActivity.run),
      lastActivityWallAt: lastActivity?.wall,
      successor,
    };
  }

  /** What happened next, out of the log or as it happens; undefined for what is no matter of history. */
  tell(event: EvidenceEvent | undefined, moment: Moment): void {
    if (event?.event === 'daemon.started') {
      this.#end();
      this.#run++;
    }
    this.watched(moment);
    if (event) this.#apply(event, { wall: moment.at.getTime(), uptimeMs: moment.uptimeMs });
  }

  /** The daemon watched until `moment`, and nothing has changed since the last line. */
  watched({ at, uptimeMs }: Moment): void {
    const last = this.#last;
    this.#last = { wall: at.getTime(), uptimeMs };
    if (last && isContinuous(last, this.#last)) this.#extend(this.#last);
    else this.#resume(this.#last);
  }

  /** A client came, or its bytes moved. */
  used(tunnel: string, at: Date): void {
    const building = this.#building(tunnel);
    const wall = at.getTime();
    // Another time is a later use, whatever the clock says of it: at the latest it was now.
    if (wall !== building.lastActivity?.wall)
      building.lastActivity = { wall, uptimeMs: this.#last?.uptimeMs ?? 0, run: this.#run };
  }

  /** Forgets what ended before `time` (milliseconds since the epoch), so that months of running stay small. */
  forget(time: number): void {
    for (const building of this.#tunnels.values())
      building.spans = building.spans.filter(({ until }) => until.wall >= time);
  }

  #apply(event: EvidenceEvent, now: Instant): void {
    switch (event.event) {
      case 'daemon.started':
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
        // From nothing: a tunnel that begins, whatever had its name before.
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
    const nothing = { spans: [], lastActivity: undefined, successor: undefined, anew: true, open: false };
    const building: Building = known ?? nothing;
    if (!known) this.#tunnels.set(tunnel, building);
    return building;
  }

  #enter(tunnel: string, state: Pick<Span, 'state' | 'serving' | 'listening'>, now: Instant): void {
    const building = this.#building(tunnel);
    const last = building.spans.at(-1);
    if (building.open && last && !building.anew && isSame(last, state)) return;
    const begins = building.anew || !building.open || last?.run !== this.#run;
    building.spans.push({ ...state, from: now, until: now, run: this.#run, begins });
    building.anew = false;
    building.open = true;
  }

  /** What is seen from now on says nothing of before: the tunnel is another one. */
  #begin(tunnel: string): void {
    const building = this.#building(tunnel);
    building.anew = true;
    const last = building.spans.at(-1);
    if (!building.open || !last || !this.#last) return;
    const { state, serving, listening } = last;
    this.#enter(tunnel, { state, serving, listening }, this.#last);
  }

  #extend(until: Instant): void {
    for (const { open, spans } of this.#tunnels.values()) {
      const span = spans.at(-1);
      if (open && span) span.until = until;
    }
  }

  /** Nobody knows what was between the last span and now. */
  #resume(now: Instant): void {
    for (const { open, spans } of this.#tunnels.values()) {
      const span = spans.at(-1);
      if (open && span) spans.push({ ...span, from: now, until: now, run: this.#run, begins: true });
    }
  }

  /** The run of a daemon is over: until the next one says so, nothing is known. */
  #end(): void {
    this.#last = undefined;
    for (const building of this.#tunnels.values()) building.open = false;
  }
}

/** Times of runs, as of a moment of the present one. */
class RunClock {
  readonly #run: number;
  readonly #now: Instant | undefined;
  /** When the present run began, as of now; undefined while no daemon runs. */
  readonly #startedAt: number | undefined;

  constructor(run: number, now: Instant | undefined, began: Instant | undefined) {
    this.#run = run;
    this.#now = now;
    this.#startedAt = now && began && now.wall - (now.uptimeMs - began.uptimeMs);
  }

  time({ wall, uptimeMs }: Instant, run: number): number {
    if (!this.#now) return wall;
    if (run === this.#run) return this.#now.wall - (this.#now.uptimeMs - uptimeMs);
    return Math.min(wall, this.#startedAt ?? this.#now.wall);
  }

  span({ from, until, run, ...rest }: BuildingSpan): Span {
    const begin = this.time(from, run);
    return { ...rest, from: begin, until: Math.max(begin, this.time(until, run)) };
  }
}

interface ToldState {
  readonly state: TunnelStateName;
  readonly serving: boolean;
  readonly listening?: boolean | undefined;
}

/** Lines of earlier versions do not say whether the port was open: where clients were not served, nobody knows. */
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
