import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { createMetrics } from '../../../src/telemetry/metrics/metrics.ts';
import { linkFixture, statusFixture, tunnelFixture } from '../../support/fakes/status-fixture.ts';
import { findPrometheus } from '../../support/machine/prometheus.ts';

const promtool = findPrometheus('promtool');

function check(page: string) {
  const { status, stdout, stderr } = spawnSync(promtool ?? '', ['check', 'metrics'], { input: page, encoding: 'utf8' });
  return { status, output: stdout + stderr };
}

test.skipIf(promtool === undefined)('passes `promtool check metrics` with the metrics of the daemon', async () => {
  const metrics = createMetrics();
  metrics.holdSeconds.observe({ tunnel: 'state-hub' }, 0.2);
  metrics.connectSeconds.observe({ tunnel: 'state-hub' }, 0.002);
  metrics.probeDurationSeconds.observe({ tunnel: 'state-hub' }, 0.01);
  const link = { host: 'coulombcore', actor: 'atm-fleet-mesh' };
  metrics.linkConnectAttempts.inc({ ...link, code: 'connect_refused' });
  metrics.linkDetectSeconds.observe(link, 3);
  metrics.linkRecoverSeconds.observe(link, 4);
  const status = statusFixture({
    tunnels: [tunnelFixture(), tunnelFixture({ name: 'quoted "name"\\ and\nline', state: 'down', probe: null })],
    links: [linkFixture(), linkFixture({ host: 'other', state: 'blocked', sessions: [] })],
  });
  expect(check(await metrics.render(status))).toEqual({ status: 0, output: '' });
});

test.skipIf(promtool === undefined)('fails `promtool check metrics` with a broken metric', () => {
  expect(check('# TYPE wrong_total gauge\nwrong_total 1\n').status).toBe(3);
});
