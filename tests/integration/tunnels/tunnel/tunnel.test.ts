import { expect, it } from 'vitest';
import { TunnelError } from '../../../../src/base/errors.ts';
import { listen } from '../../../../src/base/net/listener.ts';
import type { TunnelConfig } from '../../../../src/config/config.ts';
import { createMetrics } from '../../../../src/telemetry/metrics/metrics.ts';
import { Junction } from '../../../../src/tunnels/forward/junction.ts';
import { CurrentLink } from '../../../../src/tunnels/tunnel/current-link.ts';
import { Tunnel } from '../../../../src/tunnels/tunnel/tunnel.ts';
import type { TunnelLink } from '../../../../src/tunnels/tunnel/tunnel-link.ts';
import { loopback, never } from '../../../support/clients/ssh-session.ts';
import { recordingLogger } from '../../../support/fakes/fake-link.ts';
import { freePort } from '../../../support/peers/loopback.ts';
import { waitUntil } from '../../../support/wait-until.ts';

it('checks the link at once after a failed probe', async () => {
  let checks = 0;
  const link: TunnelLink = {
    ready: true,
    state: 'up',
    lastError: undefined,
    farSessions: [],
    whenReady: async () => {},
    open: () => Promise.reject(new TunnelError('target_refused', 'refused')),
    check: () => {
      checks++;
    },
  };
  const config: TunnelConfig = {
    name: 'state-hub',
    host: 'coulombcore',
    actor: 'atm-fleet-mesh',
    direction: 'local',
    listen: loopback(await freePort()),
    target: loopback(1),
    production: true,
    note: undefined,
    whileDown: { kind: 'refuse' },
    maxConnections: 8,
    probe: { check: { kind: 'tcp' }, everyMs: 60_000, timeoutMs: 1_000, fall: 3, rise: 2 },
  };
  const metrics = createMetrics();
  const tunnel = new Tunnel(config, new CurrentLink(link), {
    metrics,
    log: recordingLogger([]),
    note: () => {},
    entrance: { listen, junction: new Junction() },
    random: () => 0.5,
  });
  await tunnel.start();
  await waitUntil('it was probed', () => tunnel.status().probe?.consecutive_failures === 1);
  expect(checks).toBe(1);
  await tunnel.stop(0, never);
});
