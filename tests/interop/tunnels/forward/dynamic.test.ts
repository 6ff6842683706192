import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { bulkDigest, exchangeBulk, startBulkServer } from '../../../support/clients/bulk.ts';
import { curl } from '../../../support/clients/curl.ts';
import { pythonClient, startPythonClient } from '../../../support/clients/python-client.ts';
import { GREETING, socksAnswer, socksConnect, socksRequest } from '../../../support/clients/socks-client.ts';
import { hasSessions, startMesh, tunnelOf } from '../../../support/daemon/mesh.ts';
import { has } from '../../../support/machine/capabilities.ts';
import { freePort } from '../../../support/peers/loopback.ts';
import { startSshd } from '../../../support/peers/real-sshd.ts';
import { startStateHub } from '../../../support/peers/stand-ins.ts';
import { startBanner, startEcho } from '../../../support/peers/targets.ts';
import { waitUntil } from '../../../support/wait-until.ts';

const HEALTHY = { code: 0, out: '{"status":"ok","db":"connected"}\n', err: '' };
/** How curl reports a SOCKS5 reply. */
const refusedWith = (reply: number) => ({ code: 97, err: expect.stringMatching(new RegExp(`\\(${reply}\\)$`)) });
const BAD_REQUEST = expect.stringContaining('This is a SOCKS5 proxy');

describe.skipIf(!has('sshd') || !has('curl'))('a dynamic tunnel over sshd', () => {
  it('serves allowed destinations by address and name, and reports why others are rejected', async () => {
    await using sshd = await startSshd();
    await using hub = await startStateHub();
    const nobody = await freePort();
    const allow = [`127.0.0.0/8:${hub.port}`, `localhost:${hub.port}`, `127.0.0.1:${nobody}`, '*.invalid:80'];
    await using mesh = await startMesh({ sshd, tunnels: { socks: { direction: 'dynamic', allow } } });
    await mesh.waitFor(hasSessions(2));
    const proxy = `127.0.0.1:${mesh.port('socks')}`;
    const path = `${hub.port}/state/health`;

    const served = await Promise.all([
      curl('--socks5', proxy, `http://127.0.0.1:${path}`),
      curl('--socks5-hostname', proxy, `http://localhost:${path}`),
      curl('--socks5-hostname', proxy, `http://LOCALHOST:${path}`),
      curl('--socks5-hostname', proxy, `http://127.0.0.1:${path}`),
      // An IPv4-mapped address is the IPv4 address.
      curl('--socks5', proxy, `http://[::ffff:127.0.0.1]:${path}`),
      curl('--socks5', `user:secret@${proxy}`, `http://127.0.0.1:${path}`),
    ]);
    expect(served).toEqual(served.map(() => HEALTHY));

    expect(await curl('--socks5', proxy, `http://127.0.0.1:${nobody}/`)).toMatchObject(refusedWith(5));
    expect(await curl('--socks5', proxy, `http://10.0.0.1:${path}`)).toMatchObject(refusedWith(2));
    expect(await curl('--socks5', proxy, 'http://127.0.0.1:1/')).toMatchObject(refusedWith(2));
    expect(await curl('--socks5', proxy, `http://[::1]:${path}`)).toMatchObject(refusedWith(2));
    // The name would resolve to 127.0.0.1, but allow compares names, not addresses.
    expect(await curl('--socks5-hostname', proxy, `http://ip6-localhost:${path}`)).toMatchObject(refusedWith(2));
    expect(await curl('--socks5-hostname', proxy, 'http://nowhere.invalid/')).toMatchObject(refusedWith(4));
    expect(await curl('--socks4', proxy, `http://127.0.0.1:${path}`)).toMatchObject({
      code: 97,
      err: expect.stringContaining('(91), request rejected'),
    });
    expect(await curl('--proxy', `http://${proxy}`, `http://127.0.0.1:${path}`)).toEqual({
      code: 0,
      out: BAD_REQUEST,
      err: '',
    });
    expect(await curl('--proxytunnel', '--proxy', `http://${proxy}`, `http://127.0.0.1:${path}`)).toMatchObject({
      code: 56,
      err: expect.stringContaining('400'),
    });

    const socks = tunnelOf(await mesh.waitFor(({ tunnels: [tunnel] }) => tunnel?.usage.open === 0), 'socks');
    expect(socks).toMatchObject({
      direction: 'dynamic',
      state: 'up',
      reason: null,
      probe: null,
      usage: { opened_total: 6 },
    });
    expect(socks.target).toBe(`allow 127.0.0.0/8:${hub.port}, localhost:${hub.port}, 127.0.0.1:${nobody}, …`);
    expect(socks.usage.failed_total).toBe(9);
  });

  it('logs a denied destination once, and keeps the tunnel up', async () => {
    await using sshd = await startSshd();
    const tunnels = { socks: { direction: 'dynamic', allow: ['10.0.0.1:80'] } };
    await using mesh = await startMesh({ sshd, tunnels });
    await mesh.waitFor(hasSessions(2));
    const proxy = `127.0.0.1:${mesh.port('socks')}`;
    for (let time = 0; time < 3; time += 1) await curl('--socks5', proxy, 'http://10.0.0.2/');
    await curl('--socks5', proxy, 'http://10.0.0.3/');

    const turnedAway = () => mesh.daemon.records().filter(({ event }) => event === 'client.turned_away');
    await waitUntil('both destinations are logged', () => turnedAway().length >= 2);
    expect(turnedAway().map(({ level, msg }) => [level, msg])).toEqual([
      ['warn', 'a client requested 10.0.0.2:80, but no allow rule covers this destination'],
      ['warn', 'a client requested 10.0.0.3:80, but no allow rule covers this destination'],
    ]);
    expect(await mesh.waitForTunnel('up')).toMatchObject({ usage: { failed_total: 4, opened_total: 0 } });
  });

  it('applies a new allow list at a reload, and reports a server that forbids an allowed destination', async () => {
    await using hub = await startStateHub();
    await using sshd = await startSshd({ extraConfig: [`PermitOpen 127.0.0.1:${hub.port}`] });
    const socks = (allow: string[]) => ({ tunnels: { socks: { direction: 'dynamic', allow } } });
    await using mesh = await startMesh({ sshd, ...socks(['10.0.0.1:80']) });
    await mesh.waitFor(hasSessions(2));
    const ask = () => curl('--socks5', `127.0.0.1:${mesh.port('socks')}`, `http://127.0.0.1:${hub.port}/state/health`);
    expect(await ask()).toMatchObject(refusedWith(2));
    await mesh.write(socks(['127.0.0.1:*']));
    expect((await mesh.reload()).config.last_reload).toMatchObject({ ok: true });
    expect(await ask()).toEqual(HEALTHY);

    expect(await curl('--socks5', `127.0.0.1:${mesh.port('socks')}`, 'http://127.0.0.1:1/')).toMatchObject(
      refusedWith(2),
    );
    expect((await mesh.waitForTunnel('degraded')).reason).toContain('the server forbids a channel to 127.0.0.1:1');
    expect(await ask()).toEqual(HEALTHY);
    await mesh.waitForTunnel('up');
  });

  it('holds a SOCKS5 client without a reply while the link is down', async () => {
    await using sshd = await startSshd();
    await using hub = await startStateHub();
    const socks = { direction: 'dynamic', allow: [`127.0.0.1:${hub.port}`], while_down: { hold: '15s' } };
    await using mesh = await startMesh({ sshd, tunnels: { socks } });
    await mesh.waitFor(hasSessions(2));
    await mesh.waitForTunnel('up');
    await sshd.stop();
    await mesh.waitForTunnel('down');
    const answer = curl('--socks5', `127.0.0.1:${mesh.port('socks')}`, `http://127.0.0.1:${hub.port}/state/health`);
    await mesh.waitFor(({ tunnels: [tunnel] }) => tunnel?.usage.held === 1);
    await sshd.restart();
    expect(await answer).toEqual(HEALTHY);
  });

  it('carries 32 MB each way at once over SOCKS5, counted to the byte', async () => {
    const there = { seed: 1, bytes: 32_000_000 };
    const back = { seed: 2, bytes: 32_000_000 };
    await using sshd = await startSshd();
    await using target = await startBulkServer(back);
    const tunnels = { socks: { direction: 'dynamic', allow: [`127.0.0.1:${target.port}`] } };
    await using mesh = await startMesh({ sshd, tunnels });
    await mesh.waitFor(hasSessions(2));
    const client = await socksConnect({ host: '127.0.0.1', port: mesh.port('socks') }, '127.0.0.1', target.port);
    const [sent, got] = await Promise.all([target.received(), exchangeBulk(client, there)]);
    expect(sent).toEqual({ ...bulkDigest(there), end: 'fin' });
    expect(got).toEqual({ ...bulkDigest(back), end: 'fin' });
    // The client may see its end before the daemon has closed the channel.
    const { usage } = tunnelOf(await mesh.waitFor(({ tunnels: [tunnel] }) => tunnel?.usage.open === 0), 'socks');
    expect(usage).toMatchObject({ bytes_to_target: there.bytes, bytes_from_target: back.bytes });
  });

  it('loses no byte of a client that sends everything at once and half-closes', async () => {
    await using sshd = await startSshd();
    await using echo = await startEcho();
    const tunnels = { socks: { direction: 'dynamic', allow: [`localhost:${echo.port}`] } };
    await using mesh = await startMesh({ sshd, tunnels });
    await mesh.waitFor(hasSessions(2));
    const early = Buffer.alloc(300_000, 'early ');
    const send = Buffer.concat([GREETING, socksRequest('localhost', echo.port), early]);
    const result = await pythonClient({ port: mesh.port('socks'), send, endAfterSend: true });
    const whole = Buffer.concat([socksAnswer(0), early]);
    expect(result).toMatchObject({
      end: 'fin',
      bytes: whole.length,
      sha256: createHash('sha256').update(whole).digest('hex'),
    });
  });

  it('resets a SOCKS5 client when its session dies', async () => {
    await using sshd = await startSshd();
    await using target = await startBanner('hello');
    const tunnels = { socks: { direction: 'dynamic', allow: [`127.0.0.1:${target.port}`] } };
    await using mesh = await startMesh({ sshd, tunnels, host: { sessions: 1 } });
    await mesh.waitFor(hasSessions(1));
    const send = Buffer.concat([GREETING, socksRequest('127.0.0.1', target.port)]);
    await using client = startPythonClient({ port: mesh.port('socks'), send });
    await client.received(socksAnswer(0).length + 5);
    sshd.killSessions();
    expect(await client.result).toMatchObject({ end: 'rst', bytes: socksAnswer(0).length + 5 });
  });
});
