import { ADVISORY_CODES } from '../status/advisory.ts';
import { BLOCKER_CODES, UNKNOWN_CODES } from '../status/finding-codes.ts';
import {
  type LinkStatus,
  ROUTES,
  SESSION_ROLES,
  type Status,
  TUNNEL_STATES,
  type TunnelStatus,
} from '../status/status.ts';

/** One time series of a family at the moment of a snapshot. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

interface FamilyHead {
  /** Without the prefix `fleet_mesh_`. */
  readonly name: string;
  readonly help: string;
  readonly type: 'gauge' | 'counter';
  readonly labels: readonly string[];
}

/** Series of the node and its links. */
export interface Family extends FamilyHead {
  readonly samples: (status: Status) => readonly Sample[];
}

/** Takes one series of a tunnel. `more` are labels after that of the tunnel, as text: `,state="up"`. */
export type PutSeries = (value: number, more?: string) => void;

/** Series of each tunnel. Without an object for each series: a page of a thousand tunnels has more than 20,000. */
export interface TunnelFamily extends FamilyHead {
  readonly series: (tunnel: TunnelStatus, put: PutSeries) => void;
}

const FINDING_CODES = [...BLOCKER_CODES, ...UNKNOWN_CODES];

/** Values that are known here, with the text of their label. */
function labelled<Value extends string>(label: string, values: readonly Value[]) {
  return values.map((value) => ({ value, more: `,${label}="${value}"` }));
}

const STATES = labelled('state', TUNNEL_STATES);
const WAYS = labelled('route', ROUTES);
const FINDINGS = labelled('code', FINDING_CODES);

/** The metrics that a snapshot provides. No other value is stored, so they always agree with `/status`. */
export const FAMILIES: readonly (Family | TunnelFamily)[] = [
  {
    name: 'build_info',
    help: 'Version and node of the daemon; always 1.',
    type: 'gauge',
    labels: ['version', 'node'],
    samples: ({ version, node }) => [{ labels: { version, node }, value: 1 }],
  },
  tunnels('tunnel_up', 'Whether the tunnel is proven to work (1) or not (0).', (tunnel) => flag(tunnel.state === 'up')),
  {
    name: 'tunnel_state',
    help: 'State of the tunnel: exactly one series per tunnel is 1.',
    type: 'gauge',
    labels: ['tunnel', 'state'],
    series: (tunnel, put) => {
      for (const { value, more } of STATES) put(flag(tunnel.state === value), more);
    },
  },
  {
    name: 'tunnel_route',
    help: 'Route of new connections to the local port: exactly one series per tunnel is 1.',
    type: 'gauge',
    labels: ['tunnel', 'route'],
    series: (tunnel, put) => {
      for (const { value, more } of WAYS) put(flag(tunnel.route === value), more);
    },
  },
  tunnels('tunnel_connections_open', 'Client connections open now.', (tunnel) => tunnel.usage.open),
  {
    name: 'tunnel_connections_total',
    help: 'Client connections that got a channel (opened) or did not (failed).',
    type: 'counter',
    labels: ['tunnel', 'result'],
    series: ({ usage }, put) => {
      put(usage.opened_total, ',result="opened"');
      put(usage.failed_total, ',result="failed"');
    },
  },
  {
    name: 'tunnel_bytes_total',
    help: 'Bytes that clients sent to the target and received from the target.',
    type: 'counter',
    labels: ['tunnel', 'direction'],
    series: ({ usage }, put) => {
      put(usage.bytes_to_target, ',direction="to_target"');
      put(usage.bytes_from_target, ',direction="from_target"');
    },
  },
  tunnels(
    'tunnel_held_connections',
    'Client connections without a channel yet: they wait for the link or for the target.',
    (tunnel) => tunnel.usage.held,
  ),
  tunnels(
    'tunnel_last_activity_timestamp_seconds',
    'When a client last used the tunnel; absent before the first use.',
    (tunnel) => seconds(tunnel.usage.last_activity_at),
  ),
  tunnels(
    'tunnel_retirable',
    'Whether the tunnel can be retired (1 or 0); absent for a tunnel without a verdict.',
    ({ retirement }) => (retirement === null ? undefined : flag(retirement.verdict === 'retirable')),
  ),
  {
    name: 'tunnel_retirement_finding',
    help: 'Blockers and unknowns of the retirement: 1 while the finding exists; absent for a tunnel without a verdict.',
    type: 'gauge',
    labels: ['tunnel', 'code'],
    series: ({ retirement }, put) => {
      if (retirement === null) return;
      const found: readonly string[] = [...retirement.blockers, ...retirement.unknowns];
      for (const { value, more } of FINDINGS) put(flag(found.includes(value)), more);
    },
  },
  tunnels('probe_success', 'Whether the probe through the tunnel passes; pending counts as 0.', ({ probe }) =>
    probe === null ? undefined : flag(probe.state === 'passing'),
  ),
  tunnels(
    'probe_certificate_valid_before_timestamp_seconds',
    'When the TLS certificate of the target or the successor expires, the earlier one; absent without an https probe.',
    ({ probe_certificate }) => seconds(probe_certificate?.valid_before ?? null),
  ),
  links('link_up', 'Whether the SSH host is connected.', (link) => flag(link.state === 'up')),
  {
    name: 'link_sessions',
    help: 'SSH sessions of the link by role.',
    type: 'gauge',
    labels: ['host', 'actor', 'role'],
    samples: (status) =>
      status.links.flatMap((link) =>
        SESSION_ROLES.map((role) => ({
          labels: { ...linkLabels(link), role },
          value: link.sessions.filter((session) => session.role === role).length,
        })),
      ),
  },
  {
    name: 'link_kex_info',
    help: 'Key exchange method of at least one session of the link; always 1.',
    type: 'gauge',
    labels: ['host', 'actor', 'kex'],
    samples: (status) =>
      status.links.flatMap((link) =>
        [...new Set(link.sessions.map(({ kex }) => kex))].map((kex) => ({
          labels: { ...linkLabels(link), kex },
          value: 1,
        })),
      ),
  },
  links('link_sessions_wanted', 'SSH sessions that the link keeps up.', (link) => link.sessions_wanted),
  links(
    'link_replacement_failing',
    'Whether SSH sessions of the link are missing or outdated and the last attempt to replace one failed.',
    ({ replacement }) => flag(replacement?.state === 'failing'),
  ),
  links('link_rtt_seconds', 'Round trip time of the last keepalive of the active session.', roundTrip),
  {
    name: 'credential_info',
    help: 'Type of the credential that the actor uses; always 1.',
    type: 'gauge',
    labels: ['actor', 'type'],
    samples: (status) =>
      status.links.map(({ actor, credential }) => ({ labels: { actor, type: credential.type }, value: 1 })),
  },
  {
    name: 'certificate_valid_before_timestamp_seconds',
    help: 'When the certificate of the actor expires; absent without a certificate or without an expiry.',
    type: 'gauge',
    labels: ['actor'],
    samples: (status) =>
      status.links.flatMap(({ actor, credential }) => sample({ actor }, seconds(credential.valid_before))),
  },
  {
    name: 'evidence_writable',
    help: 'Whether the daemon can write the evidence log.',
    type: 'gauge',
    labels: [],
    samples: ({ evidence }) => [{ labels: {}, value: flag(evidence.state === 'ok') }],
  },
  {
    name: 'config_reload_success',
    help: 'Whether the last reload accepted the configuration file.',
    type: 'gauge',
    labels: [],
    samples: ({ config }) => [{ labels: {}, value: flag(config.last_reload?.ok ?? true) }],
  },
  {
    name: 'config_reload_timestamp_seconds',
    help: 'When the configuration in force was read.',
    type: 'gauge',
    labels: [],
    samples: ({ config }) => [{ labels: {}, value: seconds(config.loaded_at) ?? 0 }],
  },
  {
    name: 'plan_load_success',
    help: 'Whether the last read of the drain plan succeeded; absent without a plan.',
    type: 'gauge',
    labels: [],
    samples: ({ plan }) => sample({}, plan === null ? undefined : flag(plan.last_load.ok)),
  },
  {
    name: 'plan_load_timestamp_seconds',
    help: 'When the drain plan in force was read.',
    type: 'gauge',
    labels: [],
    samples: ({ plan }) => sample({}, seconds(plan?.loaded_at ?? null)),
  },
  {
    name: 'drain_wave_complete',
    help: 'Whether all steps of the wave and of its required waves are done.',
    type: 'gauge',
    labels: ['wave'],
    samples: ({ plan }) =>
      (plan?.waves ?? []).map(({ id, complete }) => ({ labels: { wave: String(id) }, value: flag(complete) })),
  },
  {
    name: 'advisories',
    help: 'Number of advisories by code; /status has the messages.',
    type: 'gauge',
    labels: ['code'],
    samples: ({ advisories }) =>
      [...new Set<string>([...ADVISORY_CODES, ...advisories.map(({ code }) => code)])].map((code) => ({
        labels: { code },
        value: advisories.filter((advisory) => advisory.code === code).length,
      })),
  },
];

/** An unknown value has no series, because 0 would be a statement. */
function tunnels(name: string, help: string, read: (tunnel: TunnelStatus) => number | undefined): TunnelFamily {
  const series = (tunnel: TunnelStatus, put: PutSeries) => {
    const value = read(tunnel);
    if (value !== undefined) put(value);
  };
  return { name, help, type: 'gauge', labels: ['tunnel'], series };
}

function links(name: string, help: string, value: (link: LinkStatus) => number | undefined): Family {
  const samples = (status: Status) => status.links.flatMap((link) => sample(linkLabels(link), value(link)));
  return { name, help, type: 'gauge', labels: ['host', 'actor'], samples };
}

/** As in {@link tunnels}. */
function sample(labels: Readonly<Record<string, string>>, value: number | undefined): readonly Sample[] {
  return value === undefined ? [] : [{ labels, value }];
}

function linkLabels(link: LinkStatus) {
  return { host: link.host, actor: link.actor };
}

function flag(holds: boolean): 0 | 1 {
  return holds ? 1 : 0;
}

function seconds(instant: Date | null): number | undefined {
  return instant === null ? undefined : instant.getTime() / 1_000;
}

function roundTrip(link: LinkStatus): number | undefined {
  const measured = link.sessions.filter((session) => session.rtt_ms !== null);
  const serving = measured.find((session) => session.role === 'active') ?? measured[0];
  return serving?.rtt_ms === null || serving === undefined ? undefined : serving.rtt_ms / 1_000;
}
