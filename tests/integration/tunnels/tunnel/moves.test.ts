import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { listen } from '../../../../src/base/net/listener.ts';
import type { Config, TunnelConfig } from '../../../../src/config/config.ts';
import { diffConfig } from '../../../../src/config/diff.ts';
import { createMetrics } from '../../../../src/telemetry/metrics/metrics.ts';
import { Junction } from '../../../../src/tunnels/forward/junction.ts';
import { Supervisor } from '../../../../src/tunnels/tunnel/supervisor.ts';
import { pythonClient } from '../../../support/clients/python-client.ts';
import { actorOf, hostOf, loopback, never, prepareByKey } from '../../../support/clients/ssh-session.ts';
import { recordingLogger } from '../../../support/fakes/fake-link.ts';
import { linkFixture } from '../../../support/fakes/status-fixture.ts';
import { expectNoLeaks, type Holdings, takeBaseline } from '../../../support/machine/leaks.ts';
import { type EmbeddedSshd, startEmbeddedSshd } from '../../../support/peers/embedded-sshd.ts';
import { freePort, type LoopbackServer } from '../../../support/peers/loopback.ts';
import { startEcho } from '../../../support/peers/targets.ts';
import { waitUntil } from '../../../support/wait-until.ts';

let baseline: Holdings;
let sshd: EmbeddedSshd;
let target: LoopbackServer;
let supervisor: Supervisor;
let hub: TunnelConfig & { direction: 'local' };

beforeEach(async () => {
  baseline = await takeBaseline(50);
  sshd = await startEmbeddedSshd();
  target = await startEcho();
  supervisor = new Supervisor({
    prepare: prepareByKey,
    credential: () => linkFixture().credential,
    metrics: createMetrics(),
    note: () => {},
    entranceOf: () => ({ listen, junction: new Junction() }),
    log: recordingLogger([]),
    random: () => 0.5,
  });
  hub = {
    name: 'state-hub',
    host: 'coulombcore',
    actor: 'atm-fleet-mesh',
    direction: 'local',
    listen: loopback(await freePort()),
    target: loopback(target.port),
    production: true,
    note: undefined,
    whileDown: { kind: 'hold', holdMs: 4_000, limit: 8, abortOnClose: false },
    maxConnections: 8,
    probe: undefined,
  };
});
afterEach(async () => {
  await supervisor.stop(0, never);
  await target[Symbol.asyncDispose]();
  await sshd[Symbol.asyncDispose]();
  await expectNoLeaks(baseline);
});

/** `coulombcore` answers; nothing listens at `gone`. */
function configOf(...tunnels: TunnelConfig[]): Config {
  const host = hostOf(sshd);
  return {
    path: '/nowhere/tunnels.yaml',
    sha256: '',
    node: 'railiance01',
    endpoint: { listen: { kind: 'tcp', host: '127.0.0.1', port: 1 }, allowRemote: false },
    controlSocket: '/nowhere/control.sock',
    stateDir: '/nonexistent',
    stopGraceMs: 0,
    logLevel: 'info',
    logFormat: 'json',
    notify: [],
    listsTunnels: true,
    hosts: new Map([
      ['coulombcore', { ...host, name: 'coulombcore' }],
      ['gone', { ...host, name: 'gone', address: '127.0.0.2', port: 1 }],
    ]),
    actors: new Map([['atm-fleet-mesh', actorOf(sshd)]]),
    tunnels: new Map(tunnels.map((tunnel) => [tunnel.name, tunnel])),
  };
}

const portOf = ({ listen }: TunnelConfig) => (listen.kind === 'tcp' ? listen.port : 0);
const reload = (before: Config, after: Config) => supervisor.apply(after, diffConfig(before, after));
const up = () => waitUntil('it is up', () => supervisor.tunnels()[0]?.state === 'up');

describe('a tunnel that moves to another host', () => {
  it('moves waiting connections with a tunnel to another host', async () => {
    const before = configOf({ ...hub, host: 'gone' });
    const after = configOf(hub);
    await supervisor.start(before);
    const answer = pythonClient({ port: portOf(hub), send: 'hello', endAfterSend: true });
    await waitUntil('it is held', () => supervisor.tunnels()[0]?.usage.held === 1);
    await reload(before, after);
    expect(await answer).toMatchObject({ end: 'fin', head: 'hello' });
  });
});

describe('a stop', () => {
  it('shows a tunnel with open connections as stopped while the daemon stops', async () => {
    await supervisor.start(configOf(hub));
    await up();
    const client = connect({ host: '127.0.0.1', port: portOf(hub) }).on('error', () => {});
    await waitUntil('it is open', () => supervisor.tunnels()[0]?.usage.open === 1);
    const stopped = supervisor.stop(2_000, never);
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    expect(supervisor.tunnels()[0]).toMatchObject({
      state: 'stopped',
      reason: 'the daemon is stopping; 1 connection still open',
    });
    client.destroy();
    await Promise.all([once(client, 'close'), stopped]);
  });
});

describe('the error beside the reason', () => {
  it('shows the error that the reason describes, whatever failed later', async () => {
    await supervisor.start(configOf({ ...hub, target: loopback(await freePort()) }));
    await waitUntil('both sessions are there', () => sshd.connections.size === 2);
    await pythonClient({ port: portOf(hub), send: 'hello' });
    // The standby session cannot be rebuilt. That happens later and is not why this tunnel is degraded.
    const [session] = sshd.connections;
    sshd.setRefuseAuth(true);
    session?.end();
    await waitUntil('it was tried', () => supervisor.links()[0]?.last_error?.code === 'auth_rejected');
    expect(supervisor.tunnels()[0]).toMatchObject({ state: 'degraded', last_error: { code: 'target_refused' } });
  });
});

describe('an error of something that is no longer configured', () => {
  const shown = () => {
    const [tunnel] = supervisor.tunnels();
    return [tunnel?.state, tunnel?.reason, tunnel?.last_error];
  };

  it('disappears when a reload changes the target', async () => {
    const before = configOf({ ...hub, target: loopback(await freePort()) });
    await supervisor.start(before);
    await pythonClient({ port: portOf(hub), send: 'hello' });
    expect(shown()).toMatchObject(['degraded', /./, { code: 'target_refused' }]);
    await reload(before, configOf(hub));
    await up();
    expect(shown()).toEqual(['up', null, null]);
  });

  it('disappears when a reload moves the tunnel to another host, or corrects the host', async () => {
    const before = configOf({ ...hub, host: 'gone' });
    await supervisor.start(before);
    await waitUntil('the host is not reached', () => supervisor.links()[0]?.last_error);
    await reload(before, configOf(hub));
    await up();
    expect(shown()).toEqual(['up', null, null]);
  });

  it('disappears when a reload changes the probe', async () => {
    const probe = {
      check: { kind: 'banner', prefix: 'SSH' },
      everyMs: 60_000,
      timeoutMs: 200,
      fall: 1,
      rise: 1,
    } as const;
    const before = configOf({ ...hub, probe });
    await supervisor.start(before);
    await waitUntil('the probe failed', () => supervisor.tunnels()[0]?.state === 'degraded');
    await reload(before, configOf({ ...hub, probe: { ...probe, check: { kind: 'tcp' } } }));
    await up();
    expect(shown()).toEqual(['up', null, null]);
  });
});
