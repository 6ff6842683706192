import type { LinkStatus, SessionStatus, Status, TunnelStatus } from '../../../src/telemetry/status/status.ts';
import { NO_CERTIFICATE } from '../../../src/tunnels/credential/describe-credential.ts';

/** The instant of all fixtures. */
const NOW = new Date('2026-11-21T12:00:00.000Z');

/** The instant `seconds` before {@link NOW}; negative values are in the future. */
export function ago(seconds: number): Date {
  return new Date(NOW.getTime() - seconds * 1_000);
}

export function sessionFixture(changes: Partial<SessionStatus> = {}): SessionStatus {
  return {
    id: 1,
    role: 'active',
    since: ago(7_200),
    credential_type: 'static_key',
    authenticated_until: null,
    connections: 2,
    rtt_ms: 0.8,
    server: 'SSH-2.0-OpenSSH_9.2p1',
    host_key: 'SHA256:hostkey',
    kex: 'curve25519-sha256',
    cipher: 'chacha20-poly1305@openssh.com',
    ...changes,
  };
}

export function linkFixture(changes: Partial<LinkStatus> = {}): LinkStatus {
  return {
    host: 'coulombcore',
    actor: 'atm-fleet-mesh',
    jump: null,
    state: 'up',
    attempts: 0,
    next_attempt_at: null,
    last_error: null,
    degraded: null,
    credential: { type: 'static_key', fingerprint: 'SHA256:key', ...NO_CERTIFICATE },
    sessions_wanted: 1,
    replacement: null,
    sessions: [sessionFixture()],
    ...changes,
  };
}

export function tunnelFixture(changes: Partial<TunnelStatus> = {}): TunnelStatus {
  return {
    name: 'state-hub',
    host: 'coulombcore',
    actor: 'atm-fleet-mesh',
    direction: 'local',
    listen: '127.0.0.1:18000',
    listen_by: 'daemon',
    target: '10.43.170.94:8000',
    production: true,
    note: 'State Hub',
    state: 'up',
    reason: null,
    since: ago(7_200),
    route: 'tunnel',
    cutover: null,
    last_error: null,
    probe: { state: 'passing', last_at: ago(4), latency_ms: 3.14, consecutive_failures: 0, last_error: null },
    probe_certificate: null,
    usage: {
      open: 2,
      opened_total: 1_041,
      failed_total: 3,
      held: 0,
      bytes_to_target: 1_536,
      bytes_from_target: 3_221_225_472,
      last_activity_at: ago(30),
      quiet_since: null,
      clients: null,
      other_clients: null,
    },
    observed_since: null,
    availability: null,
    retirement: null,
    ...changes,
  };
}

export function statusFixture(changes: Partial<Status> = {}): Status {
  return {
    schema: 1,
    node: 'railiance01',
    version: '0.1.0',
    now: NOW,
    started_at: ago(183_600),
    state: 'up',
    reason: null,
    config: { path: '/etc/fleet-mesh/tunnels.yaml', sha256: 'c0ffee', loaded_at: ago(300), last_reload: null },
    plan: null,
    systemd: { notify: null, watchdog_ms: null, sockets: [] },
    evidence: { state: 'ok', since: null, error: null, waiting: 0, head: { seq: 1, hash: '0'.repeat(64) } },
    links: [linkFixture()],
    tunnels: [tunnelFixture()],
    advisories: [],
    ...changes,
  };
}
