import { describe, expect, it } from 'vitest';
import { echoOnce } from '../../../support/clients/steady-client.ts';
import { hasSessions, showsReason, startMesh, tunnelOf } from '../../../support/daemon/mesh.ts';
import { has } from '../../../support/machine/capabilities.ts';
import { startSshd } from '../../../support/peers/real-sshd.ts';
import { startStateHub } from '../../../support/peers/stand-ins.ts';
import { startBanner, startEcho } from '../../../support/peers/targets.ts';

const OFTEN = { every: '500ms', timeout: '400ms', fall: 1, rise: 1 };

describe.skipIf(!has('sshd'))('probes', () => {
  it('counts no probe as use', async () => {
    await using sshd = await startSshd();
    await using echo = await startEcho();
    await using mesh = await startMesh({
      sshd,
      tunnels: { echo: { target: echo.port, probe: { tcp: {}, ...OFTEN } } },
    });
    const unused = (await mesh.waitForTunnel('up')).usage;
    expect(unused).toMatchObject({ open: 0, opened_total: 0, last_activity_at: null });
    await echoOnce(mesh.port('echo'));
    // Activity is dated once a second, so the date is final after a second.
    await mesh.waitFor(
      ({ tunnels, now }) => now.getTime() - (tunnels[0]?.usage.last_activity_at ?? now).getTime() > 1_100,
    );
    const used = tunnelOf(await mesh.waitFor(hasSessions(2)), 'echo').usage;
    const probed = echo.accepted();
    await mesh.waitFor(() => echo.accepted() >= probed + 6);
    const { usage } = tunnelOf(await mesh.waitFor(hasSessions(2)), 'echo');
    // Not the clients: a busy machine may name them late.
    const counts = ({ clients: _, other_clients: __, ...rest }: typeof usage) => rest;
    expect(counts(usage)).toEqual(counts(used));
    expect(usage).toMatchObject({ opened_total: 1, failed_total: 0, bytes_to_target: 5, bytes_from_target: 5 });
    expect(await mesh.metric('tunnel_connections_total', { tunnel: 'echo' })).toBe(1);
    expect(await mesh.metric('probe_duration_seconds_count', { tunnel: 'echo' })).toBeGreaterThanOrEqual(6);
  });

  it('names the field and both values when the JSON differs, and the status when the status differs', async () => {
    await using sshd = await startSshd();
    await using hub = await startStateHub();
    const probe = { http: { path: '/state/health', json: { status: 'ok', db: 'connected' } }, ...OFTEN };
    await using mesh = await startMesh({ sshd, tunnels: { hub: { target: hub.port, production: true, probe } } });
    await mesh.waitForTunnel('up');
    expect((await mesh.daemon.get('/readyz?production=true')).status).toBe(200);

    hub.set('/state/health', { body: { status: 'ok', db: 'lost' } });
    // On a busy machine a probe may fail for its time limit before that.
    const status = await mesh.waitFor((each) => showsReason(tunnelOf(each, 'hub'), /lost/));
    const degraded = tunnelOf(status, 'hub');
    expect(degraded.reason).toMatch(/db.*connected|connected.*db/);
    expect(degraded.probe).toMatchObject({ state: 'failing' });
    expect((await mesh.daemon.get('/readyz?production=true')).status).toBe(503);
    expect((await mesh.daemon.get('/readyz')).status).toBe(200);

    hub.set('/state/health', { status: 500, body: {} });
    await mesh.waitFor(({ tunnels }) => tunnels[0]?.reason?.includes('500, expected 200') === true);
    hub.set('/state/health', { body: 'plain text' });
    await mesh.waitFor(({ tunnels }) => tunnels[0]?.reason?.includes('plain text') === true);
    hub.set('/state/health', { body: { status: 'ok', db: 'connected', more: 1 } });
    await mesh.waitForTunnel('up');
    expect(hub.requests.every((request) => request === 'GET /state/health')).toBe(true);
  });

  it('reads a banner, and quotes a wrong one', async () => {
    await using sshd = await startSshd();
    await using right = await startBanner('SSH-2.0-stand-in\r\n');
    await using wrong = await startBanner('220 smtp.example ESMTP\r\n');
    await using echo = await startEcho();
    const probe = { banner: 'SSH-2.0', ...OFTEN };
    await using mesh = await startMesh({
      sshd,
      tunnels: {
        right: { target: right.port, probe },
        // The test sshd itself: a real banner.
        real: { target: sshd.port, probe },
        wrong: { target: wrong.port, probe },
        mute: { target: echo.port, probe },
      },
    });
    await mesh.waitForTunnel('up', 'right');
    await mesh.waitForTunnel('up', 'real');
    await mesh.waitFor((each) => showsReason(tunnelOf(each, 'wrong'), /220 smtp\.example/));
    await mesh.waitFor((each) => showsReason(tunnelOf(each, 'mute'), /within 0\.4 s/));
  });
});
