import { expect, test } from 'vitest';
import { createMetrics } from '../../../../src/telemetry/metrics/metrics.ts';
import {
  ago,
  linkFixture,
  sessionFixture,
  statusFixture,
  tunnelFixture,
} from '../../../support/fakes/status-fixture.ts';

const metrics = () => createMetrics();

function series(page: string): Map<string, number> {
  const lines = page.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
  );
}

test('has no series for a plan that does not exist: 0 would say that the plan is unusable', async () => {
  const page = await metrics().renderOwn(statusFixture());
  expect([...series(page).keys()].filter((name) => name.includes('plan_load'))).toEqual([]);
});

test('renders every value of the snapshot', async () => {
  const page = series(await metrics().renderOwn(statusFixture()));
  const expected: [string, number][] = [
    ['build_info{version="0.1.0",node="railiance01"}', 1],
    ['tunnel_up{tunnel="state-hub"}', 1],
    ['tunnel_state{tunnel="state-hub",state="up"}', 1],
    ['tunnel_state{tunnel="state-hub",state="down"}', 0],
    ['tunnel_connections_open{tunnel="state-hub"}', 2],
    ['tunnel_connections_total{tunnel="state-hub",result="opened"}', 1_041],
    ['tunnel_connections_total{tunnel="state-hub",result="failed"}', 3],
    ['tunnel_bytes_total{tunnel="state-hub",direction="to_target"}', 1_536],
    ['tunnel_bytes_total{tunnel="state-hub",direction="from_target"}', 3_221_225_472],
    ['tunnel_held_connections{tunnel="state-hub"}', 0],
    ['tunnel_last_activity_timestamp_seconds{tunnel="state-hub"}', ago(30).getTime() / 1_000],
    ['probe_success{tunnel="state-hub"}', 1],
    ['link_up{host="coulombcore",actor="atm-fleet-mesh"}', 1],
    ['link_sessions{host="coulombcore",actor="atm-fleet-mesh",role="active"}', 1],
    ['link_sessions{host="coulombcore",actor="atm-fleet-mesh",role="standby"}', 0],
    ['link_kex_info{host="coulombcore",actor="atm-fleet-mesh",kex="curve25519-sha256"}', 1],
    ['link_rtt_seconds{host="coulombcore",actor="atm-fleet-mesh"}', 0.0008],
    ['link_connect_attempts_total{host="coulombcore",actor="atm-fleet-mesh",code="ok"}', 0],
    // Before the first event: a rate would miss an event that begins the series.
    ['link_hedged_opens_total{host="coulombcore",actor="atm-fleet-mesh",result="won"}', 0],
    ['link_detect_seconds_count{host="coulombcore",actor="atm-fleet-mesh"}', 0],
    ['tunnel_hold_seconds_count{tunnel="state-hub"}', 0],
    ['credential_info{actor="atm-fleet-mesh",type="static_key"}', 1],
    ['client_lookups_total{result="skipped"}', 0],
    ['config_reload_success', 1],
    ['config_reload_timestamp_seconds', ago(300).getTime() / 1_000],
  ];
  for (const [name, value] of expected) expect([name, page.get(`fleet_mesh_${name}`)]).toEqual([name, value]);
});

test('sets exactly one state series of a tunnel to 1', async () => {
  const tunnels = [tunnelFixture({ state: 'draining' })];
  const page = series(await metrics().renderOwn(statusFixture({ tunnels })));
  const states = [...page].filter(([name]) => name.startsWith('fleet_mesh_tunnel_state'));
  expect(states).toHaveLength(7);
  expect(states.filter(([, value]) => value === 1).map(([name]) => name)).toEqual([
    'fleet_mesh_tunnel_state{tunnel="state-hub",state="draining"}',
  ]);
});

test('omits series of unknown values', async () => {
  const { usage } = tunnelFixture();
  const status = statusFixture({
    tunnels: [tunnelFixture({ probe: null, usage: { ...usage, last_activity_at: null } })],
    links: [linkFixture({ sessions: [sessionFixture({ rtt_ms: null })] })],
  });
  const page = await metrics().renderOwn(status);
  expect(page).not.toMatch(/probe_success\{|last_activity_timestamp_seconds\{|link_rtt_seconds\{/);
});

test('renders totals as counters that do not grow by scrapes', async () => {
  const subject = metrics();
  await subject.renderOwn(statusFixture());
  const page = await subject.renderOwn(statusFixture());
  expect(page).toContain('# TYPE fleet_mesh_tunnel_connections_total counter');
  expect(page).toContain('# TYPE fleet_mesh_tunnel_bytes_total counter');
  expect(series(page).get('fleet_mesh_tunnel_connections_total{tunnel="state-hub",result="opened"}')).toBe(1_041);
});

test('drops the series of removed tunnels and links', async () => {
  const subject = metrics();
  subject.holdSeconds.observe({ tunnel: 'state-hub' }, 0.2);
  subject.connectSeconds.observe({ tunnel: 'state-hub' }, 0.002);
  subject.probeDurationSeconds.observe({ tunnel: 'state-hub' }, 0.01);
  const link = { host: 'coulombcore', actor: 'atm-fleet-mesh' };
  subject.linkConnectAttempts.inc({ ...link, code: 'auth_rejected' });
  subject.linkDetectSeconds.observe(link, 3);
  subject.linkRecoverSeconds.observe(link, 4);
  const before = await subject.renderOwn(statusFixture());
  expect(before).toContain('tunnel_hold_seconds_count{tunnel="state-hub"} 1');
  expect(before).toContain('link_detect_seconds_count{host="coulombcore",actor="atm-fleet-mesh"} 1');
  subject.forgetTunnel('state-hub');
  subject.forgetTunnel('never-known');
  subject.forgetLink('coulombcore', 'atm-fleet-mesh');
  subject.forgetLink('never', 'known');
  const after = await subject.renderOwn(statusFixture({ tunnels: [], links: [] }));
  expect(after).not.toMatch(/state-hub|coulombcore/);
});

test('includes the process metrics, and keeps two instances in one process separate', async () => {
  const [one, other] = [metrics(), metrics()];
  const page = await one.render(statusFixture());
  expect(page).toContain('process_cpu_seconds_total');
  const own = (await one.renderOwn(statusFixture())).split('\n');
  // The delay of the event loop may have changed since.
  const lasting = own.filter((line) => !line.startsWith('fleet_mesh_event_loop_lag_seconds '));
  expect(page.split('\n')).toEqual(expect.arrayContaining(lasting));
  expect(await one.renderOwn(statusFixture())).not.toContain('process_cpu');
  expect(await other.render(statusFixture({ tunnels: [] }))).not.toContain('state-hub');
  expect(one.contentType).toBe('text/plain; version=0.0.4; charset=utf-8');
});

test('shows no impossible value in the second of two scrapes in a row', async () => {
  const instance = metrics();
  await instance.render(statusFixture());
  const lags = [...series(await instance.render(statusFixture()))].filter(([name]) => name.includes('eventloop_lag'));
  expect(lags).not.toEqual([]);
  expect(lags.filter(([, seconds]) => seconds > 60)).toEqual([]);
});

test('shows a rejected reload and keeps the time of the configuration in force', async () => {
  const config = { ...statusFixture().config, last_reload: { ok: false, at: ago(1), error: 'no' } };
  const page = series(await metrics().renderOwn(statusFixture({ config })));
  expect(page.get('fleet_mesh_config_reload_success')).toBe(0);
  expect(page.get('fleet_mesh_config_reload_timestamp_seconds')).toBe(ago(300).getTime() / 1_000);
});
