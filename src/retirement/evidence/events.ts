import { z } from 'zod';
import type { Pulse } from '../../telemetry/pulse.ts';
import { TUNNEL_STATES } from '../../telemetry/status/status.ts';
import { routes } from './routes.ts';
import { type SuccessorRecord, successorRecord } from './successor-record.ts';

const time = z.iso.datetime();

/** A tunnel's {@link Pulse} as a heartbeat keeps it. */
const pulseRecord = z.object({
  state: z.enum(TUNNEL_STATES),
  serving: z.boolean(),
  /** Whether the listen address was bound; absent in lines of earlier versions. */
  listening: z.boolean().optional(),
  open: z.int().min(0),
  opened_total: z.int().min(0),
  last_activity_at: time.nullable(),
  /** Where one is configured. */
  successor: successorRecord.optional(),
});
type PulseRecord = z.infer<typeof pulseRecord>;

/** What the heartbeat of the evidence takes from a tunnel. */
export interface TunnelPulse extends Pulse {
  readonly successor?: SuccessorRecord;
}

export function pulseRecordOf({
  state,
  serving,
  listening,
  open,
  openedTotal,
  lastActivityAt,
  successor,
}: TunnelPulse): PulseRecord {
  const last_activity_at = lastActivityAt?.toISOString() ?? null;
  return {
    state,
    serving,
    listening,
    open,
    opened_total: openedTotal,
    last_activity_at,
    ...(successor && { successor }),
  };
}

/** `unknown`: it could not be looked for, so that its absence is not proven. */
const HOST_STATES = ['reachable', 'unreachable', 'unknown'] as const;

/** What a heartbeat tells of a host that is looked for from time to time. */
const hostPulse = z.object({
  state: z.enum(HOST_STATES),
  /** Why it was not reached, or could not be looked for; null while it is reachable. */
  code: z.string().nullable(),
  /** Where it is looked for, with the port. */
  address: z.string(),
  /** When it was looked for since the heartbeat before; another outcome than `state` has a line of its own. */
  checked: z.array(time),
});
export type HostPulse = z.infer<typeof hostPulse>;

/** The host was looked for, and the outcome is another than before. */
const sighting = {
  host: z.string(),
  address: z.string(),
  /** Null where it was not looked for before. */
  from: z.enum(HOST_STATES).nullable(),
  code: z.string().nullable(),
  reason: z.string(),
};

/**
 * What the evidence is made of (SPEC section 6). Lines of other events belong to the chain all the same: this is what
 * history, availability and verdicts are computed from.
 */
export const evidenceEvent = z.discriminatedUnion('event', [
  z.object({ event: z.literal('daemon.started'), version: z.string(), config_sha256: z.string() }),
  z.object({ event: z.literal('daemon.stopped') }),
  /** Once a minute: from its absence follows the daemon's. */
  z.object({
    event: z.literal('heartbeat'),
    tunnels: z.record(z.string(), pulseRecord),
    hosts: z.record(z.string(), hostPulse).optional(),
  }),
  z.object({
    event: z.literal('tunnel.state'),
    tunnel: z.string(),
    /** Null where the tunnel was not known before. */
    from: z.enum(TUNNEL_STATES).nullable(),
    to: z.enum(TUNNEL_STATES),
    serving: z.boolean(),
    listening: z.boolean().optional(),
    reason: z.string().nullable(),
    code: z.string().nullable(),
  }),
  /** A client is there, after a time without. */
  z.object({ event: z.literal('tunnel.used'), tunnel: z.string() }),
  /** The checks of its successor begin to pass or to fail, or end with the daemon. */
  successorRecord.extend({ event: z.literal('successor.checked'), tunnel: z.string(), error: z.string().nullable() }),
  /** Its listener, target or host is another one from now on: what was seen before says nothing of it. */
  z.object({ event: z.literal('tunnel.changed'), tunnel: z.string() }),
  /** Out of the configuration: nothing is said of it any more. */
  z.object({ event: z.literal('tunnel.removed'), tunnel: z.string() }),
  z.object({ event: z.literal('host.reachable'), ...sighting }),
  z.object({ event: z.literal('host.unreachable'), ...sighting }),
  z.object({ event: z.literal('host.unknown'), ...sighting }),
  /** What the routes are from now on, at the start and after each reload. */
  z.object({ event: z.literal('config.in_force'), ...routes.shape }),
]);
export type EvidenceEvent = z.infer<typeof evidenceEvent>;

/** Undefined for events that history is not made of. */
export function readEvent(entry: unknown): EvidenceEvent | undefined {
  const parsed = evidenceEvent.safeParse(entry);
  return parsed.success ? parsed.data : undefined;
}
