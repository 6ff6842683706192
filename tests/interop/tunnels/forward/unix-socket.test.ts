import { once } from 'node:events';
import { lstatSync, readdirSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { bulkDigest, exchangeBulk, startBulkServer } from '../../../support/clients/bulk.ts';
import { curl } from '../../../support/clients/curl.ts';
import { pythonClient } from '../../../support/clients/python-client.ts';
import { startDaemon } from '../../../support/daemon/daemon.ts';
import { hasSessions, startMesh } from '../../../support/daemon/mesh.ts';
import { has } from '../../../support/machine/capabilities.ts';
import { tempDir } from '../../../support/machine/temp-dir.ts';
import { startSshd } from '../../../support/peers/real-sshd.ts';
import { startStateHub } from '../../../support/peers/stand-ins.ts';

/** An HTTP service on a Unix socket that answers with the Host that it was asked for. */
async function startUnixHttp(path: string): Promise<AsyncDisposable> {
  const server = createServer((request, response) => response.end(JSON.stringify({ host: request.headers.host })));
  server.listen(path);
  await once(server, 'listening');
  return {
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

const names = (directory: string) => readdirSync(directory).sort();

describe.skipIf(!has('sshd') || !has('curl'))('Unix sockets over sshd', () => {
  it('connects a local socket with one on the host, probes it, and removes the private socket at the end', async () => {
    await using sshd = await startSshd();
    using directory = tempDir('unix');
    const [here, there] = [join(directory.path, 'here.sock'), join(directory.path, 'there.sock')];
    await using _service = await startUnixHttp(there);
    const probe = { http: { path: '/', json: { host: 'localhost' } } };
    const office = { listen: `unix:${here}`, target: `unix:${there}`, probe };
    await using mesh = await startMesh({ sshd, tunnels: { office } });
    const up = await mesh.waitForTunnel('up');
    expect(up).toMatchObject({ listen: `unix:${here}`, target: `unix:${there}`, probe: { state: 'passing' } });

    expect(lstatSync(here).isSocket()).toBe(true);
    expect(lstatSync(here).mode & 0o777).toBe(0o600);
    expect(names(directory.path)).toEqual(['here.sock', 'there.sock']);
    expect(await curl('--unix-socket', here, 'http://service/')).toEqual({
      code: 0,
      out: '{"host":"service"}',
      err: '',
    });
    expect((await mesh.daemon.status()).tunnels[0]?.usage).toMatchObject({ opened_total: 1, failed_total: 0 });

    expect(await mesh.daemon.stop()).toMatchObject({ code: 0 });
    expect(names(directory.path)).toEqual(['there.sock']);
  });

  it('replaces a socket that kill -9 left behind, and moves it at a reload', async () => {
    await using sshd = await startSshd();
    await using hub = await startStateHub();
    using directory = tempDir('unix');
    const [first, second] = [join(directory.path, 'first.sock'), join(directory.path, 'second.sock')];
    const tunnels = (path: string) => ({ tunnels: { hub: { listen: `unix:${path}`, target: hub.port } } });
    await using mesh = await startMesh({ sshd, ...tunnels(first) });
    await mesh.waitForTunnel('up');
    mesh.daemon.signal('SIGKILL');
    await mesh.daemon.exit;
    expect(names(directory.path)).toEqual(['first.sock']);

    await using daemon = startDaemon({ configFile: mesh.configFile, endpointPort: mesh.endpointPort });
    await daemon.waitFor(({ tunnels: [tunnel] }) => tunnel?.state === 'up');
    const ask = (path: string) => curl('--unix-socket', path, 'http://hub/state/health');
    expect(await ask(first)).toMatchObject({ code: 0 });
    await mesh.write(tunnels(second));
    daemon.signal('SIGHUP');
    await daemon.waitFor(({ tunnels: [tunnel] }) => tunnel?.listen === `unix:${second}` && tunnel.state === 'up');
    expect(names(directory.path)).toEqual(['second.sock']);
    expect(await ask(second)).toMatchObject({ code: 0 });
  });

  it('does not touch the socket of another daemon', async () => {
    await using sshd = await startSshd();
    await using hub = await startStateHub();
    using directory = tempDir('unix');
    const path = join(directory.path, 'hub.sock');
    const tunnels = { hub: { listen: `unix:${path}`, target: hub.port } };
    await using mesh = await startMesh({ sshd, tunnels });
    await mesh.waitForTunnel('up');
    const inode = lstatSync(path).ino;
    {
      await using other = await startMesh({ sshd, tunnels });
      expect(await other.waitForDown('listen_in_use')).toMatchObject({
        reason: `the tunnel cannot listen on unix:${path}: another program listens there`,
        listen: `unix:${path}`,
      });
      await other.daemon.stop();
    }
    expect(lstatSync(path).ino).toBe(inode);
    expect(names(directory.path)).toEqual(['hub.sock']);
    expect(await curl('--unix-socket', path, 'http://hub/state/health')).toMatchObject({ code: 0 });
  });

  it.each([
    { fault: 'a socket that is not there', extraConfig: [], listening: false },
    { fault: 'AllowStreamLocalForwarding no', extraConfig: ['AllowStreamLocalForwarding no'], listening: true },
  ])('says what sshd says, and what it keeps to itself: $fault', async ({ extraConfig, listening }) => {
    await using sshd = await startSshd({ extraConfig });
    using directory = tempDir('unix');
    const there = join(directory.path, 'there.sock');
    await using _service = listening ? await startUnixHttp(there) : undefined;
    await using mesh = await startMesh({ sshd, tunnels: { office: { target: `unix:${there}` } } });
    await mesh.waitForTunnel('up');
    // Not curl: a reset during its connect and a closed port look the same to it.
    expect(await pythonClient({ port: mesh.port('office') })).toMatchObject({ end: 'rst' });
    expect(await mesh.waitForTunnel('degraded')).toMatchObject({
      reason: `the last connection failed: unix:${there} is unreachable from the host: open failed`,
      last_error: { code: 'target_unreachable', hint: expect.stringContaining('AllowStreamLocalForwarding') },
    });
  });

  it('carries 32 MB each way at once from socket to socket, and SOCKS5 over a socket', async () => {
    const there = { seed: 1, bytes: 32_000_000 };
    const back = { seed: 2, bytes: 32_000_000 };
    await using sshd = await startSshd();
    await using target = await startBulkServer(back);
    await using hub = await startStateHub();
    using directory = tempDir('unix');
    const [bulk, socks] = [join(directory.path, 'bulk.sock'), join(directory.path, 'socks.sock')];
    const tunnels = {
      bulk: { listen: `unix:${bulk}`, target: target.port },
      socks: { listen: `unix:${socks}`, direction: 'dynamic', allow: [`localhost:${hub.port}`] },
    };
    await using mesh = await startMesh({ sshd, tunnels });
    await mesh.waitFor(hasSessions(2));
    const client = connect({ path: bulk, allowHalfOpen: true });
    const [sent, got] = await Promise.all([target.received(), exchangeBulk(client, there)]);
    expect(sent).toEqual({ ...bulkDigest(there), end: 'fin' });
    expect(got).toEqual({ ...bulkDigest(back), end: 'fin' });
    // curl(1), --proxy: a SOCKS proxy on a Unix socket.
    const url = `http://localhost:${hub.port}/state/health`;
    expect(await curl('--proxy', `socks5h://localhost${socks}`, url)).toMatchObject({ code: 0 });
  });

  it('serves new clients of a Unix socket after the loss of a session', async () => {
    await using sshd = await startSshd();
    await using hub = await startStateHub();
    hub.set('/slow', 'silence');
    using directory = tempDir('unix');
    const path = join(directory.path, 'hub.sock');
    await using mesh = await startMesh({ sshd, tunnels: { hub: { listen: `unix:${path}`, target: hub.port } } });
    await mesh.waitFor(hasSessions(2));
    const slow = curl('--unix-socket', path, 'http://hub/slow');
    await mesh.waitFor(({ tunnels: [tunnel] }) => tunnel?.usage.open === 1);
    sshd.killSessions();
    expect([52, 56]).toContain((await slow).code);
    expect(await curl('--unix-socket', path, 'http://hub/state/health')).toMatchObject({ code: 0 });
  });
});
