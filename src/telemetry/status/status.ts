import { z } from 'zod';
import { ERROR_CODES } from '../../base/errors.ts';

/**
 * The health snapshot: HTTP, CLI and metrics all read this one description of the daemon. Its shape is
 * public, and changes are additive. Inside the program times are Dates. JSON is written when a snapshot leaves the
 * program and decoded once when a snapshot enters, so no reader parses a time.
 */
export const instant = z.codec(z.iso.datetime(), z.date(), {
  decode: (text) => new Date(text),
  encode: (date) => date.toISOString(),
});

const errorReport = z.strictObject({ code: z.enum(ERROR_CODES), message: z.string(), hint: z.string(), at: instant });

export const LINK_STATES = ['up', 'connecting', 'backoff', 'blocked'] as const;
export type LinkState = (typeof LINK_STATES)[number];

export const SESSION_ROLES = ['active', 'standby', 'draining'] as const;
export type SessionRole = (typeof SESSION_ROLES)[number];

const sessionStatus = z.strictObject({
  id: z.int().positive(),
  role: z.enum(SESSION_ROLES),
  since: instant,
  credential_type: z.enum(['static_key', 'agent', 'certificate']),
  authenticated_until: instant.nullable(),
  connections: z.int().nonnegative(),
  rtt_ms: z.number().nonnegative().nullable(),
  server: z.string(),
  host_key: z.string(),
  kex: z.string(),
  cipher: z.string(),
});
export type SessionStatus = z.infer<typeof sessionStatus>;

const credentialStatus = z.strictObject({
  type: z.enum(['static_key', 'agent', 'certificate']),
  fingerprint: z.string().nullable(),
  key_id: z.string().nullable(),
  serial: z.string().nullable(),
  principals: z.array(z.string()).nullable(),
  /** Restrictions that the CA put into the certificate: `force-command`, `source-address=…`. */
  restrictions: z.array(z.string()).nullable(),
  valid_after: instant.nullable(),
  valid_before: instant.nullable(),
  renew_at: instant.nullable(),
  renewal: z.strictObject({ state: z.string(), last_error: errorReport.nullable() }).nullable(),
  /** The fallback key, and whether it can be removed; null if none is configured. */
  static_key: z
    .strictObject({
      exception: z.string(),
      last_needed_at: instant.nullable(),
      removable: z.boolean(),
      verdict: z.string(),
    })
    .nullable(),
});
export type CredentialStatus = z.infer<typeof credentialStatus>;

/** The sessions of a link that are missing, or must be replaced. `failing`: the last attempt to make one failed. */
const replacementStatus = z.strictObject({
  state: z.enum(['pending', 'failing']),
  since: instant,
  /** Failed attempts since the last login. */
  attempts: z.int().nonnegative(),
  last_error: errorReport.nullable(),
});
export type ReplacementStatus = z.infer<typeof replacementStatus>;

const linkStatus = z.strictObject({
  host: z.string(),
  actor: z.string(),
  /** The jump host. */
  jump: z.string().nullable(),
  state: z.enum(LINK_STATES),
  /** Failed attempts since the last login. */
  attempts: z.int().nonnegative(),
  next_attempt_at: instant.nullable(),
  last_error: errorReport.nullable(),
  /** Why the link serves with reduced quality; null if it does not. */
  degraded: z.string().nullable(),
  credential: credentialStatus,
  /** `sessions` of the host: how many sessions the link keeps. */
  sessions_wanted: z.int().positive(),
  /** Null when nothing is missing. */
  replacement: replacementStatus.nullable(),
  sessions: z.array(sessionStatus),
});
export type LinkStatus = z.infer<typeof linkStatus>;

export const TUNNEL_STATES = ['up', 'degraded', 'down', 'unverified', 'draining', 'retired', 'stopped'] as const;
export type TunnelStateName = (typeof TUNNEL_STATES)[number];

/** `pending`: no result yet, or no probe possible while the link is down. */
const probeStatus = z.strictObject({
  state: z.enum(['pending', 'passing', 'failing']),
  last_at: instant.nullable(),
  latency_ms: z.number().nonnegative().nullable(),
  consecutive_failures: z.int().nonnegative(),
  last_error: errorReport.nullable(),
});
export type ProbeStatus = z.infer<typeof probeStatus>;

/** The TLS certificate that a probe saw. */
const probeCertificateStatus = z.strictObject({
  /** The service that has the certificate. */
  seen_at: z.enum(['target', 'successor']),
  valid_after: instant,
  valid_before: instant,
});
export type ProbeCertificateStatus = z.infer<typeof probeCertificateStatus>;

/** A client of a tunnel. Facts that the daemon cannot see or has not found are null. */
const clientStatus = z.strictObject({
  /** The process name from the kernel, never the arguments; or `unknown`. */
  process: z.string(),
  /** The process id of the latest connection. */
  pid: z.int().nullable(),
  uid: z.int().nullable(),
  /** The systemd unit. A unit of a user manager has the form `user@1000.service/backup.service`. */
  unit: z.string().nullable(),
  /** The uid of the Kubernetes pod. */
  pod: z.string().nullable(),
  /** The remote address, if the client is outside the network namespace of the daemon. */
  address: z.string().nullable(),
  open: z.int().nonnegative(),
  /** Now, while a connection is open. */
  last_seen_at: instant,
  connections_total: z.int().nonnegative(),
});
export type ClientStatus = z.infer<typeof clientStatus>;

/** The sum of clients beyond the list and clients without a lookup. */
const otherClientsStatus = z.strictObject({
  open: z.int().nonnegative(),
  last_seen_at: instant,
  connections_total: z.int().nonnegative(),
});
export type OtherClientsStatus = z.infer<typeof otherClientsStatus>;

const usageStatus = z.strictObject({
  open: z.int().nonnegative(),
  opened_total: z.int().nonnegative(),
  failed_total: z.int().nonnegative(),
  held: z.int().nonnegative(),
  bytes_to_target: z.int().nonnegative(),
  bytes_from_target: z.int().nonnegative(),
  last_activity_at: instant.nullable(),
  quiet_since: instant.nullable(),
  /** Clients since the start of the daemon, at most 32, latest first; null for clients on the far side. */
  clients: z.array(clientStatus).nullable(),
  other_clients: otherClientsStatus.nullable(),
});
export type UsageStatus = z.infer<typeof usageStatus>;

/** The counts of a forward itself. */
export type UsageCounts = Omit<UsageStatus, 'quiet_since' | 'clients' | 'other_clients'>;

export const CUTOVER_PHASES = [
  'idle',
  'preflight',
  'holding',
  'switching',
  'verifying',
  'committed',
  'rolling_back',
  'rolled_back',
] as const;
export type CutoverPhase = (typeof CUTOVER_PHASES)[number];

const cutoverStatus = z.strictObject({
  phase: z.enum(CUTOVER_PHASES),
  since: instant,
  reason: z.string().nullable(),
  /** The address of the successor. */
  successor: z.string(),
  /** Connections to the successor, which do not count as use of the tunnel. */
  usage: usageStatus,
});
/** The part of the status that a cut-over knows itself. */
export type OwnCutoverStatus = Omit<z.infer<typeof cutoverStatus>, 'usage'> & { usage: UsageCounts };

export const ROUTES = ['tunnel', 'successor'] as const;
export type Route = (typeof ROUTES)[number];

export const tunnelStatus = z.strictObject({
  name: z.string(),
  host: z.string(),
  actor: z.string(),
  direction: z.enum(['local', 'remote', 'dynamic']),
  listen: z.string(),
  /** Who bound `listen` on this node. A socket of systemd stays open while the daemon restarts. */
  listen_by: z.enum(['systemd', 'daemon']).nullable(),
  target: z.string(),
  production: z.boolean(),
  note: z.string().nullable(),
  state: z.enum(TUNNEL_STATES),
  reason: z.string().nullable(),
  since: instant,
  route: z.enum(ROUTES),
  /** Null if no successor is configured. */
  cutover: cutoverStatus.nullable(),
  last_error: errorReport.nullable(),
  probe: probeStatus.nullable(),
  /** Of the target or the successor, the certificate that expires first; null if no probe uses TLS. */
  probe_certificate: probeCertificateStatus.nullable(),
  usage: usageStatus,
  /** Since when the evidence knows the tunnel; null without observation. */
  observed_since: instant.nullable(),
  /** Share of the observed time with service in the last 1h, 24h, 7d, 30d, from 0 to 1; null below a minute of observation. */
  availability: z.record(z.string(), z.number().min(0).max(1).nullable()).nullable(),
  /**
   * The retirement verdict; null without a `drain:` section and after the retirement. `/drain/{tunnel}` has the
   * reasons.
   */
  retirement: z
    .strictObject({
      verdict: z.enum(['retirable', 'blocked', 'unknown']),
      blockers: z.array(z.string()),
      unknowns: z.array(z.string()),
      /** False if an operator must act first. */
      waiting_helps: z.boolean(),
    })
    .nullable(),
});
export type TunnelStatus = z.infer<typeof tunnelStatus>;

/** The part of {@link TunnelStatus} that a tunnel knows itself. The snapshot adds the rest. */
export type OwnTunnelStatus = Omit<
  TunnelStatus,
  'cutover' | 'usage' | 'observed_since' | 'availability' | 'retirement'
> & {
  usage: UsageCounts;
};

const configStatus = z.strictObject({
  path: z.string(),
  sha256: z.string(),
  loaded_at: instant,
  last_reload: z.strictObject({ ok: z.boolean(), at: instant, error: z.string().nullable() }).nullable(),
});
export type ConfigStatus = z.infer<typeof configStatus>;

/** The drain plan of the configuration. */
const planStatus = z.strictObject({
  path: z.string(),
  /** Like all fields except `last_load`, about the plan in force; null without one. */
  sha256: z.string().nullable(),
  loaded_at: instant.nullable(),
  last_load: z.strictObject({ ok: z.boolean(), at: instant, error: z.string().nullable() }),
  waves: z.array(z.strictObject({ id: z.int(), title: z.string(), complete: z.boolean() })),
});
export type PlanStatus = z.infer<typeof planStatus>;

/** A socket that systemd passed (sd_listen_fds(3)). */
const socketStatus = z.strictObject({
  /** `FileDescriptorName=` of its unit. */
  name: z.string(),
  address: z.string().nullable(),
  used_by: z.string().nullable(),
  /** Why nothing uses the socket. */
  problem: z.string().nullable(),
});
export type SocketStatus = z.infer<typeof socketStatus>;

const systemdStatus = z.strictObject({
  /** How the daemon notifies the service manager; null if no service manager waits for notifications. */
  notify: z.enum(['sd-notify', 'systemd-notify', 'none']).nullable(),
  /** Silence after which systemd restarts the daemon; null without a watchdog. */
  watchdog_ms: z.number().positive().nullable(),
  sockets: z.array(socketStatus),
});
export type SystemdStatus = z.infer<typeof systemdStatus>;

/** The state of the evidence log. */
const evidenceStatus = z.strictObject({
  state: z.enum(['opening', 'ok', 'failing']),
  /** Since when the log fails; null while the log works. */
  since: instant.nullable(),
  error: z.string().nullable(),
  /** Entries that wait for the disk. */
  waiting: z.int().nonnegative(),
  /** The last entry on the disk, the end of the hash chain; null while the log is not open. */
  head: z.strictObject({ seq: z.int().nonnegative(), hash: z.string() }).nullable(),
});
export type EvidenceStatus = z.infer<typeof evidenceStatus>;

export const status = z.strictObject({
  schema: z.literal(1),
  node: z.string(),
  version: z.string(),
  now: instant,
  started_at: instant,
  state: z.enum(['up', 'degraded', 'down']),
  reason: z.string().nullable(),
  config: configStatus,
  plan: planStatus.nullable(),
  systemd: systemdStatus,
  evidence: evidenceStatus,
  links: z.array(linkStatus),
  tunnels: z.array(tunnelStatus),
  advisories: z.array(
    z.strictObject({
      code: z.string(),
      message: z.string(),
      /** What the advisory is about, if its message changes while the trouble lasts. */
      subject: z.string().optional(),
    }),
  ),
});
export type Status = z.infer<typeof status>;
