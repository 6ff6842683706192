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
}

/** What the evidence says of one tunnel. Between two spans that do not touch, nobody watched. */
export interface TunnelHistory {
  /** Oldest first. */
  readonly spans: readonly Span[];
  readonly lastActivityAt: number | undefined;
  /** Undefined where none was ever asked. */
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
  #last: { readonly wall: number; readonly uptimeMs: number } | undefined;

  of(tunnel: string): TunnelHistory {
    return this.#tunnels.get(tunnel) ?? NOTHING;
  }

  /** What happened next, out of the log or as it happens; undefined for what is no matter of history. */
  tell(event: EvidenceEvent | undefined, moment: Moment): void {
    if (event?.event === 'daemon.started') this.#end();
    this.watched(moment);
    if (event) this.#apply(event, moment.at.getTime());
  }

  /** The daemon watched until `moment`, and nothing has changed since the last line. */
  watched({ at, uptimeMs }: Moment): void {
    const wall = at.getTime();
    const last = this.#last;
    this.#last = { wall, uptimeMs };
    if (last && isContinuous(last, this.#last)) this.#extend(wall);
    else this.#resume(wall);
  }

  /** A client came, or its bytes moved. */
  used(tunnel: string, at: Date): void {
    const building = this.#building(tunnel);
    building.lastActivityAt = Math.max(building.lastActivityAt ?? 0, at.getTime());
  }

  /** Forgets what ended before `time` (milliseconds since the epoch), so that months of running stay small. */
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

  /** Nobody knows what was between the last span and now. */
  #resume(wall: number): void {
    for (const { open, spans } of this.#tunnels.values()) {
      const span = spans.at(-1);
      if (open && span) spans.push({ ...span, from: wall, until: wall });
    }
  }

  /** The run of a daemon is over: until the next one says so, nothing is known. */
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
