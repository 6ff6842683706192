import { z } from 'zod';
import type { Pulse } from '../../telemetry/pulse.ts';
import { CUTOVER_PHASES, TUNNEL_STATES } from '../../telemetry/status/status.ts';
import { tunnelPlace } from '../../tunnels/tunnel/sameness.ts';
import { routes } from './routes.ts';
import { type SuccessorRecord, successorRecord } from './successor-record.ts';

const time = z.iso.datetime();

/** A tunnel's {@link Pulse} as a heartbeat keeps it. */
const pulseRecord = z.object({
  state: z.enum(TUNNEL_STATES),
  serving: z.boolean(),
  /** Whether the listen address was bound; missing in lines of earlier versions. */
  listening: z.boolean().optional(),
  open: z.int().min(0),
  opened_total: z.int().min(0),
  last_activity_at: time.nullable(),
  /** Only if a successor is configured. */
  successor: successorRecord.optional(),
});
type PulseRecord = z.infer<typeof pulseRecord>;

/** The state of a tunnel for a heartbeat. */
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

/** `unknown`: the look failed, so absence is not proven. */
const HOST_STATES = ['reachable', 'unreachable', 'unknown'] as const;

/** The state of a watched host for a heartbeat. */
const hostPulse = z.object({
  state: z.enum(HOST_STATES),
  /** Why the host was not reached, or the look failed; null while the host is reachable. */
  code: z.string().nullable(),
  /** The checked address, with the port. */
  address: z.string(),
  /** Times of the looks since the previous heartbeat; a changed result has its own line. */
  checked: z.array(time),
});
export type HostPulse = z.infer<typeof hostPulse>;

/** The result of a look differs from the previous one. */
const sighting = {
  host: z.string(),
  address: z.string(),
  /** Null for the first look. */
  from: z.enum(HOST_STATES).nullable(),
  code: z.string().nullable(),
  reason: z.string(),
};

/**
 * The events for history, availability and verdicts. The chain also contains lines of other events.
 */
export const evidenceEvent = z.discriminatedUnion('event', [
  z.object({
    event: z.literal('daemon.started'),
    version: z.string(),
    config_sha256: z.string(),
    /** Missing in lines of earlier versions. */
    node: z.string().optional(),
    /** A hash of the machine id; null if unknown. */
    machine: z.string().nullable().optional(),
  }),
  z.object({ event: z.literal('daemon.stopped') }),
  /** The first line of a new file: the file before was moved, cut or changed while the daemon ran. */
  z.object({ event: z.literal('log.seam') }),
  /** Writing works again; `dropped` entries are missing. */
  z.object({ event: z.literal('log.resumed'), dropped: z.int() }),
  /** At the start: lines were changed or are missing. */
  z.object({ event: z.literal('log.damaged') }),
  /** Once a minute: a missing heartbeat shows that the daemon was down. */
  z.object({
    event: z.literal('heartbeat'),
    tunnels: z.record(z.string(), pulseRecord),
    hosts: z.record(z.string(), hostPulse).optional(),
  }),
  z.object({
    event: z.literal('tunnel.state'),
    tunnel: z.string(),
    /** Null for a new tunnel. */
    from: z.enum(TUNNEL_STATES).nullable(),
    to: z.enum(TUNNEL_STATES),
    serving: z.boolean(),
    listening: z.boolean().optional(),
    reason: z.string().nullable(),
    code: z.string().nullable(),
  }),
  /** The first client after a time without clients. */
  z.object({ event: z.literal('tunnel.used'), tunnel: z.string() }),
  /** The checks of the successor start to pass or to fail, or end with the daemon. */
  successorRecord.extend({ event: z.literal('successor.checked'), tunnel: z.string(), error: z.string().nullable() }),
  /** The listener, target or host of the tunnel changed, or the address of the host: earlier events do not count for the new one. */
  z.object({ event: z.literal('tunnel.changed'), tunnel: z.string() }),
  /** The tunnel left the configuration; no more events follow. */
  z.object({ event: z.literal('tunnel.removed'), tunnel: z.string() }),
  z.object({
    event: z.literal('tunnel.retired'),
    tunnel: z.string(),
    /** Whether the local port stays with the successor; missing in lines of earlier versions. */
    keeps_port: z.boolean().optional(),
    overridden: z.array(z.object({ code: z.string(), reason: z.string() })).default([]),
    place: tunnelPlace.optional(),
  }),
  /** The name of the retired tunnel belongs to another tunnel now, which is in service. */
  z.object({ event: z.literal('retirement.ended'), tunnel: z.string() }),
  /** An operator takes tunnels into service: also retired ones. */
  z.object({ event: z.literal('operator.up'), tunnels: z.array(z.string()) }),
  z.object({
    event: z.enum(['cutover.phase', 'cutover.resumed']),
    tunnel: z.string(),
    to: z.enum(CUTOVER_PHASES),
    successor: z.string().nullable(),
  }),
  /** An operator decided for the tunnel, after the saved cut-over was lost. */
  z.object({ event: z.literal('cutover.forgotten'), tunnel: z.string() }),
  z.object({ event: z.literal('host.reachable'), ...sighting }),
  z.object({ event: z.literal('host.unreachable'), ...sighting }),
  z.object({ event: z.literal('host.unknown'), ...sighting }),
  /** The routes from now on, at the start and after each reload. */
  z.object({ event: z.literal('config.in_force'), ...routes.shape }),
]);
export type EvidenceEvent = z.infer<typeof evidenceEvent>;

/** Undefined for events that history does not use. */
export function readEvent(entry: unknown): EvidenceEvent | undefined {
  const parsed = evidenceEvent.safeParse(entry);
  return parsed.success ? parsed.data : undefined;
}
