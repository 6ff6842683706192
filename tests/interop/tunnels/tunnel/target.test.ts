import { describe, expect, it } from 'vitest';
import { pythonClient } from '../../../support/clients/python-client.ts';
import { echoOnce } from '../../../support/clients/steady-client.ts';
import { hasSessions, linkOf, sessionIds, showsReason, startMesh, tunnelOf } from '../../../support/daemon/mesh.ts';
import { has } from '../../../support/machine/capabilities.ts';
import { freePort } from '../../../support/peers/loopback.ts';
import { startSshd } from '../../../support/peers/real-sshd.ts';
import { startStateHub } from '../../../support/peers/stand-ins.ts';
import { startEcho, startSilent } from '../../../support/peers/targets.ts';

const QUICK = { every: '1s', timeout: '500ms', fall: 1, rise: 1 };

describe.skipIf(!has('sshd'))('a target that does not serve', () => {
  it('shows target_refused for a target that is down, and up once the target serves', async () => {
    await using sshd = await startSshd();
    const target = await freePort();
    await using mesh = await startMesh({
      sshd,
      tunnels: { probed: { target, probe: { tcp: {}, ...QUICK } }, unprobed: { target } },
    });
    // On a busy machine the first probe may fail for its time limit.
    const refused = await mesh.waitFor((each) => showsReason(tunnelOf(each, 'probed'), /refused/));
    expect(tunnelOf(refused, 'probed').last_error).toMatchObject({ code: 'target_refused' });
    // Without a probe, the first client shows the error.
    expect(await pythonClient({ port: mesh.port('unprobed') })).toMatchObject({ end: 'rst', bytes: 0 });
    const unprobed = await mesh.waitForTunnel('degraded', 'unprobed');
    expect(unprobed.last_error).toMatchObject({ code: 'target_refused' });
    expect(unprobed.usage.failed_total).toBe(1);
    expect(linkOf(await mesh.waitFor(hasSessions(2)))).toMatchObject({ state: 'up', attempts: 0 });

    await using echo = await startEcho(target);
    expect(echo.port).toBe(target);
    await mesh.waitForTunnel('up', 'probed');
    await echoOnce(mesh.port('unprobed'));
    await mesh.waitForTunnel('up', 'unprobed');
    expect(sessionIds(await mesh.daemon.status())).toEqual(expect.arrayContaining([1, 2]));
  });

  it('reports a target that accepts but never answers, and keeps the sessions', async () => {
    await using sshd = await startSshd();
    await using silent = await startSilent();
    await using mesh = await startMesh({
      sshd,
      tunnels: { mute: { target: silent.port, production: true, probe: { http: { path: '/healthz' }, ...QUICK } } },
    });
    await mesh.waitFor((each) => showsReason(tunnelOf(each, 'mute'), /GET \/healthz was not answered within 0\.5 s/));
    const status = await mesh.waitFor(({ tunnels }) => (tunnels[0]?.probe?.consecutive_failures ?? 0) >= 3);
    expect(status.state).toBe('degraded');
    expect(sessionIds(status)).toEqual(expect.arrayContaining([1, 2]));
  });

  it('shows up, degraded and up when a target stops answering and answers again', async () => {
    await using sshd = await startSshd();
    await using hub = await startStateHub();
    const probe = {
      http: { path: '/state/health', json: { status: 'ok' } },
      every: '1s',
      timeout: '500ms',
      fall: 2,
      rise: 2,
    };
    await using mesh = await startMesh({ sshd, tunnels: { hub: { target: hub.port, probe } } });
    await mesh.waitForTunnel('up');
    hub.set('/state/health', 'silence');
    await mesh.waitForTunnel('degraded');
    hub.set('/state/health', { body: { status: 'ok' } });
    await mesh.waitForTunnel('up');
    expect(await mesh.metric('probe_success')).toBe(1);
  });
});

describe.skipIf(!has('sshd'))('a server that forbids the forward', () => {
  it('shows forward_denied with AllowTcpForwarding no', async () => {
    await using sshd = await startSshd({ extraConfig: ['AllowTcpForwarding no'] });
    await using echo = await startEcho();
    await using mesh = await startMesh({
      sshd,
      tunnels: { echo: { target: echo.port, probe: { tcp: {}, ...QUICK } } },
    });
    const denied = await mesh.waitFor((each) => tunnelOf(each, 'echo').last_error?.code === 'forward_denied');
    expect(tunnelOf(denied, 'echo')).toMatchObject({
      state: 'degraded',
      last_error: { hint: expect.stringContaining('AllowTcpForwarding') },
    });
    expect(await pythonClient({ port: mesh.port('echo') })).toMatchObject({ end: 'rst' });
    expect(linkOf(await mesh.waitFor(hasSessions(2))).state).toBe('up');
    expect(echo.accepted()).toBe(0);
  });

  it('shows forward_denied only for the target that PermitOpen forbids', async () => {
    await using echo = await startEcho();
    await using other = await startEcho();
    await using sshd = await startSshd({ extraConfig: [`PermitOpen 127.0.0.1:${echo.port}`] });
    const probe = { tcp: {}, ...QUICK };
    await using mesh = await startMesh({
      sshd,
      tunnels: { open: { target: echo.port, probe }, shut: { target: other.port, probe } },
    });
    const status = await mesh.waitFor((seen) => {
      const shut = tunnelOf(seen, 'shut');
      return tunnelOf(seen, 'open').state === 'up' && shut.last_error?.code === 'forward_denied';
    });
    expect(tunnelOf(status, 'shut').state).toBe('degraded');
    expect(tunnelOf(status, 'open').last_error).toBeNull();
    await echoOnce(mesh.port('open'));
    expect(other.accepted()).toBe(0);
  });
});
