import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { greetingOf, openChatter } from '../../support/clients/chatter.ts';
import { refuses } from '../../support/clients/refuses.ts';
import { echoOnce } from '../../support/clients/steady-client.ts';
import { findTunnel, hasSessions, linkOf, sessionIds, startMesh, tunnelOf } from '../../support/daemon/mesh.ts';
import { has } from '../../support/machine/capabilities.ts';
import { freePort } from '../../support/peers/loopback.ts';
import { startSshd } from '../../support/peers/real-sshd.ts';
import { startBanner, startEcho } from '../../support/peers/targets.ts';
import { waitUntil } from '../../support/wait-until.ts';

describe.skipIf(!has('sshd'))('a reload', () => {
  it('keeps open connections on a new label, limit, probe or target, and applies the target to new connections', async () => {
    await using sshd = await startSshd();
    await using old = await startEcho();
    await using other = await startBanner('another target\r\n');
    await using mesh = await startMesh({ sshd, tunnels: { echo: { target: old.port } } });
    const before = linkOf(await mesh.waitFor(hasSessions(2)));
    await using chatter = await openChatter(mesh.port('echo'));

    const probe = { tcp: {}, every: '1s', rise: 1, fall: 1 };
    await mesh.write({ tunnels: { echo: { target: old.port, note: 'new label', max_connections: 7, probe } } });
    const labelled = tunnelOf(await mesh.reload(), 'echo');
    expect(labelled).toMatchObject({ note: 'new label', usage: { open: 1, opened_total: 1 } });
    await mesh.waitFor(({ tunnels }) => tunnels[0]?.probe?.state === 'passing');
    await chatter.say('still the same connection');

    await mesh.write({ tunnels: { echo: { target: other.port, probe } } });
    expect(tunnelOf(await mesh.reload(), 'echo').target).toBe(`127.0.0.1:${other.port}`);
    expect(await greetingOf(mesh.port('echo'))).toBe('another target\r\n');
    await chatter.say('and the old one still talks to the old target');

    const after = linkOf(await mesh.waitForTunnel('up').then(() => mesh.waitFor(hasSessions(2))));
    expect(after.sessions.map(({ id }) => id)).toEqual(before.sessions.map(({ id }) => id));
  });

  it('drains a removed tunnel, starts a new tunnel, and lets two tunnels swap addresses', async () => {
    await using sshd = await startSshd();
    await using echo = await startEcho();
    await using mesh = await startMesh({ sshd, tunnels: { keep: { target: echo.port }, gone: { target: echo.port } } });
    await mesh.waitFor(hasSessions(2));
    await using chatter = await openChatter(mesh.port('gone'));
    await using kept = await openChatter(mesh.port('keep'));

    await mesh.write({ tunnels: { keep: { target: echo.port }, fresh: { target: echo.port } } });
    const status = await mesh.reload();
    expect(tunnelOf(status, 'gone')).toMatchObject({ state: 'draining', usage: { open: 1 } });
    expect(tunnelOf(status, 'gone').reason).toContain('1 connection still open');
    await expect(echoOnce(mesh.port('gone'))).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await chatter.say('the open connection lives');
    await mesh.waitForTunnel('up', 'fresh');
    await echoOnce(mesh.port('fresh'));

    await chatter.end();
    await mesh.waitFor((seen) => findTunnel(seen, 'gone') === undefined);
    await mesh.write({
      tunnels: {
        keep: { target: echo.port, listen: mesh.port('fresh') },
        fresh: { target: echo.port, listen: mesh.port('keep') },
      },
    });
    await mesh.reload();
    await echoOnce(mesh.port('fresh'));
    await echoOnce(mesh.port('keep'));
    await kept.say('nor did moving the listener cost me anything');
  });

  it('changes nothing for a broken file, and reports the position of the mistake', async () => {
    await using sshd = await startSshd();
    await using echo = await startEcho();
    await using mesh = await startMesh({ sshd, tunnels: { echo: { target: echo.port } } });
    const { config, links } = await mesh.waitFor(hasSessions(2));
    await using chatter = await openChatter(mesh.port('echo'));
    const good = readFileSync(mesh.configFile, 'utf8');

    for (const [broken, expected] of [
      [good.replace('tunnels:', 'tunels:'), /tunnels\.yaml:\d+:\d+.*tunels/s],
      [`${good}\n  nonsense: [`, /tunnels\.yaml:\d+:\d+/],
      ['', /tunnels\.yaml/],
      [good.slice(0, good.indexOf('tunnels:')), /no key "tunnels".*1 tunnel runs.*`tunnels: \{\}`/s],
    ] as const) {
      mesh.writeRaw(broken);
      const status = await mesh.reload();
      expect(status.config.last_reload).toMatchObject({ ok: false, error: expect.stringMatching(expected) });
      expect(status.config).toMatchObject({ sha256: config.sha256, loaded_at: config.loaded_at });
      expect(await mesh.metric('config_reload_success')).toBe(0);
      await chatter.say('unmoved');
      await echoOnce(mesh.port('echo'));
    }
    mesh.writeRaw(good);
    const mended = await mesh.reload();
    expect(mended.config.last_reload).toMatchObject({ ok: true, error: null });
    expect(await mesh.metric('config_reload_success')).toBe(1);
    expect(linkOf(mended).sessions.map(({ id }) => id)).toEqual(links[0]?.sessions.map(({ id }) => id));
    expect(mesh.daemon.records().filter(({ event }) => event === 'config.reload_failed')).toHaveLength(4);

    mesh.writeRaw(`${good.slice(0, good.indexOf('tunnels:'))}tunnels: {}\n`);
    const emptied = await mesh.reload();
    expect(emptied.config.last_reload).toMatchObject({ ok: true });
    expect(tunnelOf(emptied, 'echo').state).toBe('draining');
  });

  it('loses no connection in twenty reloads', async () => {
    await using sshd = await startSshd();
    await using echo = await startEcho();
    await using mesh = await startMesh({ sshd, tunnels: { echo: { target: echo.port } } });
    const first = sessionIds(await mesh.waitFor(hasSessions(2)));
    await using chatter = await openChatter(mesh.port('echo'));
    for (let time = 1; time <= 20; time++) mesh.daemon.signal('SIGHUP');
    await mesh.write({ tunnels: { echo: { target: echo.port, note: 'the last word' } } });
    mesh.daemon.signal('SIGHUP');
    await mesh.waitFor(({ tunnels }) => tunnels[0]?.note === 'the last word');
    await chatter.say('still here');
    expect(sessionIds(await mesh.daemon.status())).toEqual(expect.arrayContaining(first));
  });

  it('moves the endpoint to the new address before the old address closes', async () => {
    await using sshd = await startSshd();
    await using echo = await startEcho();
    await using mesh = await startMesh({ sshd, tunnels: { echo: { target: echo.port } } });
    await mesh.waitFor(hasSessions(2));
    const moved = await freePort();
    await mesh.write({ extra: { endpoint: { listen: `127.0.0.1:${moved}` } } });
    mesh.daemon.signal('SIGHUP');
    await mesh.answersOn(moved);
    await refuses(mesh.endpointPort);

    // A reload that is refused for its control socket leaves the endpoint where it is.
    const elsewhere = await freePort();
    const endpoint = { listen: `127.0.0.1:${elsewhere}` };
    await mesh.write({ extra: { endpoint, control: { socket: mesh.configFile } } });
    mesh.daemon.signal('SIGHUP');
    const refused = () => mesh.daemon.records().find(({ event }) => event === 'config.reload_failed');
    expect(await waitUntil('the reload is refused', refused)).toMatchObject({ err: { code: 'listen_in_use' } });
    expect((await mesh.answersOn(moved)).status).toBe(200);
    await refuses(elsewhere);
    await mesh.write({ extra: { endpoint } });
    mesh.daemon.signal('SIGHUP');
    await mesh.answersOn(elsewhere);
  });
});
