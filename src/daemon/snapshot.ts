import { statusLine } from '../machine/systemd/status-line.ts';
import { type Systemd, systemdStatus } from '../machine/systemd/systemd.ts';
import type { ControlPoint } from '../operator/control/point.ts';
import type { PresenceRecord } from '../operator/presence/leave.ts';
import type { Cutovers } from '../retirement/cutover/cutovers.ts';
import type { Retirement } from '../retirement/drain/retirement.ts';
import {
  describeEvidence,
  describePast,
  evidenceAdvisories,
  type PastStatus,
} from '../retirement/evidence/describe.ts';
import type { StateDirectoryOwner } from '../retirement/evidence/owner.ts';
import type { Recorder } from '../retirement/evidence/recorder.ts';
import { advisoriesOf } from '../retirement/plan/advisories.ts';
import { planStatus } from '../retirement/plan/status.ts';
import type { PlanWatch } from '../retirement/plan/watch.ts';
import type { Advisory } from '../telemetry/status/advisory.ts';
import type {
  LinkStatus,
  OwnCutoverStatus,
  OwnTunnelStatus,
  ProbeCertificateStatus,
  Status,
  TunnelStatus,
  UsageCounts,
  UsageStatus,
} from '../telemetry/status/status.ts';
import type { Clients } from '../tunnels/clients/clients.ts';
import type { LedgerStatus } from '../tunnels/clients/ledger.ts';
import { credentialAdvisories } from '../tunnels/credential/advisories.ts';
import type { Rotators } from '../tunnels/credential/rotators.ts';
import { replacementAdvisories } from '../tunnels/link/advisories.ts';
import { earlierCertificate, probeCertificateAdvisories } from '../tunnels/probe/certificate.ts';
import { stoppedAdvisories } from '../tunnels/tunnel/advisories.ts';
import type { Supervisor } from '../tunnels/tunnel/supervisor.ts';
import type { ConfigInForce } from './config-in-force.ts';
import { overallState } from './overall.ts';
import { unwrittenAdvisories } from './state-advisories.ts';

/** The components that contribute to the snapshot. None of them reads the snapshot. */
export interface SnapshotSources {
  readonly version: string;
  readonly startedAt: Date;
  readonly inForce: ConfigInForce;
  readonly supervisor: Pick<Supervisor, 'links' | 'tunnels' | 'stopped'>;
  readonly cutovers: Pick<Cutovers, 'statusOf' | 'unwritten' | 'advisories'>;
  readonly recorder: Pick<Recorder, 'historyOf' | 'condition' | 'head' | 'unwrittenFiles'>;
  readonly rotators: Pick<Rotators, 'unwritten'>;
  readonly owner: Pick<StateDirectoryOwner, 'advisories'>;
  readonly presence: Pick<PresenceRecord, 'unwritten'>;
  readonly clients: Pick<Clients, 'of'>;
  readonly retirement: Pick<Retirement, 'statusOf' | 'certificateOf' | 'advisories' | 'unwritten'>;
  readonly plan: Pick<PlanWatch, 'watched'>;
  readonly control: Pick<ControlPoint, 'advisories'>;
  readonly systemd: Systemd;
}

/** The one description of the daemon, assembled from all components. */
export function takeSnapshot(sources: SnapshotSources, now: Date): Status {
  const { inForce, supervisor, recorder } = sources;
  const links = supervisor.links();
  const owns = supervisor.tunnels();
  const tunnels = owns.map((own) => assembleTunnel(partsOf(own, sources, now)));
  const evidence = describeEvidence(recorder.condition, recorder.head);
  return {
    schema: 1,
    node: inForce.config.node,
    version: sources.version,
    now,
    started_at: sources.startedAt,
    ...overallOf(sources, tunnels, links),
    config: inForce.status(),
    plan: planStatus(sources.plan.watched, now),
    systemd: systemdStatus(sources.systemd),
    evidence,
    links,
    tunnels,
    advisories: [...currentAdvisories(sources, links, owns, now), ...evidenceAdvisories(evidence)],
  };
}

/** The line for systemd. Without the evidence and the verdicts of a snapshot, which cost four times as much. */
export function lineForSystemd(sources: Pick<SnapshotSources, 'inForce' | 'supervisor'>, now: Date): string {
  const [tunnels, links] = [sources.supervisor.tunnels(), sources.supervisor.links()];
  const { reason } = overallOf(sources, tunnels, links);
  return statusLine({ tunnels, links, reason, now });
}

function overallOf(
  { inForce, supervisor }: Pick<SnapshotSources, 'inForce' | 'supervisor'>,
  tunnels: readonly OwnTunnelStatus[],
  links: readonly LinkStatus[],
): Pick<Status, 'state' | 'reason'> {
  const stopped = new Set(supervisor.stopped.map(({ name }) => name));
  return overallState({ tunnels, links, stopped, configured: inForce.config.tunnels.size });
}

/** The current advisories, without the evidence, which reports its own. */
export function currentAdvisories(
  sources: Omit<SnapshotSources, 'version' | 'startedAt' | 'clients' | 'systemd'>,
  links: readonly LinkStatus[],
  owns: readonly Pick<OwnTunnelStatus, 'name' | 'probe_certificate'>[],
  now: Date,
): Advisory[] {
  const { inForce, plan, control, retirement, cutovers, rotators, recorder, owner, presence } = sources;
  // Each second, and most tunnels have none: no object for these.
  const probed: Pick<OwnTunnelStatus, 'name' | 'probe_certificate'>[] = [];
  for (const { name, probe_certificate } of owns) {
    const earlier = earlierCertificate(probe_certificate, retirement.certificateOf(name));
    if (earlier !== null) probed.push({ name, probe_certificate: earlier });
  }
  const policy = advisoriesOf(inForce.config, plan.watched, now);
  const files = [retirement, cutovers, rotators, presence].flatMap((each) => each.unwritten);
  const unwritten = [...files, ...recorder.unwrittenFiles];
  return [
    ...inForce.advisories(),
    ...control.advisories(),
    ...owner.advisories(),
    ...unwrittenAdvisories(unwritten),
    ...policy,
    ...retirement.advisories(),
    ...cutovers.advisories(),
    ...credentialAdvisories(links),
    ...probeCertificateAdvisories(probed, now),
    ...replacementAdvisories(links),
    ...stoppedAdvisories(sources.supervisor.stopped),
  ];
}

function partsOf(
  own: OwnTunnelStatus,
  { cutovers, recorder, clients, retirement }: SnapshotSources,
  now: Date,
): TunnelParts {
  const history = recorder.historyOf(own.name);
  return {
    own,
    cutover: cutovers.statusOf(own.name),
    past: history && describePast(history, now.getTime()),
    clients: own.direction === 'remote' ? undefined : clients.of(own.name, now),
    successorCertificate: retirement.certificateOf(own.name),
    retirement: own.state === 'draining' ? null : retirement.statusOf(own.name, now),
  };
}

/** The contributions to the row of one tunnel. None is optional, so a forgotten one does not compile. */
export interface TunnelParts {
  readonly own: OwnTunnelStatus;
  readonly cutover: OwnCutoverStatus | null;
  /** Undefined until the evidence is read. */
  readonly past: PastStatus | undefined;
  /** Undefined if the clients are on the far side. */
  readonly clients: LedgerStatus | undefined;
  /** Of the successor, as its probe sees it. */
  readonly successorCertificate: ProbeCertificateStatus | null;
  readonly retirement: TunnelStatus['retirement'];
}

/** The row of a tunnel in the snapshot, from all contributions. Pure. */
export function assembleTunnel(parts: TunnelParts): TunnelStatus {
  const { own, cutover, past, clients, successorCertificate, retirement } = parts;
  const { open, held } = own.usage;
  const last = later(own.usage.last_activity_at, past?.last_activity_at ?? null);
  // Each field by its name: a spread of so many fields costs more than all else of a snapshot.
  return {
    name: own.name,
    host: own.host,
    actor: own.actor,
    direction: own.direction,
    listen: own.listen,
    listen_by: own.listen_by,
    target: own.target,
    production: own.production,
    note: own.note,
    state: own.state,
    reason: own.reason,
    since: own.since,
    route: own.route,
    last_error: own.last_error,
    probe: own.probe,
    probe_certificate: earlierCertificate(own.probe_certificate, successorCertificate),
    usage: {
      open,
      opened_total: own.usage.opened_total,
      failed_total: own.usage.failed_total,
      held,
      bytes_to_target: own.usage.bytes_to_target,
      bytes_from_target: own.usage.bytes_from_target,
      last_activity_at: last,
      // Quiet time is known only with the evidence.
      quiet_since: past === undefined || open + held > 0 ? null : last,
      clients: clients?.clients ?? null,
      other_clients: clients?.other_clients ?? null,
    },
    cutover: cutover && { ...cutover, usage: { ...cutover.usage, ...NOBODY_LOOKED } },
    observed_since: past?.observed_since ?? null,
    availability: past?.availability ?? null,
    retirement,
  };
}

/** The fields that are unknown for clients of the successor. */
const NOBODY_LOOKED = {
  quiet_since: null,
  clients: null,
  other_clients: null,
} as const satisfies Omit<UsageStatus, keyof UsageCounts>;

function later(a: Date | null, b: Date | null): Date | null {
  if (a === null || b === null) return a ?? b;
  return a < b ? b : a;
}
