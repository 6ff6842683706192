import { writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openChatter } from '../../support/clients/chatter.ts';
import { pythonClient, startPythonClient } from '../../support/clients/python-client.ts';
import { refuses } from '../../support/clients/refuses.ts';
import { echoOnce } from '../../support/clients/steady-client.ts';
import { hasSessions, knownBehind, linkOf, type Mesh, startMesh } from '../../support/daemon/mesh.ts';
import { has } from '../../support/machine/capabilities.ts';
import { catches, signal } from '../../support/machine/proc.ts';
import { patient } from '../../support/patience.ts';
import { FaultProxy } from '../../support/peers/fault-proxy.ts';
import { freePort, listenLoopback } from '../../support/peers/loopback.ts';
import { startSshd } from '../../support/peers/real-sshd.ts';
import { startEcho, startSilent } from '../../support/peers/targets.ts';
import { waitUntil, within } from '../../support/wait-until.ts';

/** Sends SIGTERM. Returns the exit code and the time until the end. */
async function terminate(mesh: Mesh): Promise<{ code: number | null; signal: string | null; ms: number }> {
  const from = performance.now();
  mesh.daemon.signal('SIGTERM');
  const exit = await within('the daemon ends', mesh.daemon.exit, 15_000);
  return { ...exit, ms: performance.now() - from };
}

describe.skipIf(!has('sshd') || !has('python3'))('SIGTERM', { concurrent: true }, () => {
  it('gives open connections stop_grace, accepts no new ones, and then resets', async () => {
    await using sshd = await startSshd();
    await using silent = await startSilent();
    await using mesh = await startMesh({
      sshd,
      tunnels: { slow: { target: silent.port } },
      // Long enough to look several times within it, on a busy machine as well.
      extra: { stop_grace: '5s' },
    });
    await mesh.waitFor(hasSessions(2));
    await using client = startPythonClient({ port: mesh.port('slow'), send: 'a question' });
    await mesh.waitFor(({ tunnels }) => tunnels[0]?.usage.open === 1);

    const ended = terminate(mesh);
    await waitUntil('readiness flips', async () => (await mesh.daemon.get('/readyz')).status === 503);
    await refuses(mesh.port('slow'));
    expect((await mesh.daemon.get('/livez')).status).toBe(200);
    const { code, signal: by, ms } = await ended;
    expect({ code, by }).toEqual({ code: 0, by: null });
    expect(ms).toBeGreaterThan(4_900);
    expect(ms).toBeLessThan(patient(7_500));
    expect(await client.result).toMatchObject({ end: 'rst' });
    // sshd logs a proper disconnect differently from a lost connection.
    await waitUntil('sshd was told', () => sshd.log().split('Received disconnect').length === 3, 5_000, sshd.log);
  });

  it('ends as soon as the last connection ends', async () => {
    await using sshd = await startSshd();
    await using echo = await startEcho();
    await using mesh = await startMesh({
      sshd,
      tunnels: { echo: { target: echo.port } },
      extra: { stop_grace: '30s' },
    });
    await mesh.waitFor(hasSessions(2));
    await using chatter = await openChatter(mesh.port('echo'));
    const ended = terminate(mesh);
    await waitUntil('readiness flips', async () => (await mesh.daemon.get('/readyz')).status === 503);
    await chatter.say('let me finish');
    await chatter.end();
    const { code, ms } = await ended;
    expect(code).toBe(0);
    expect(ms).toBeLessThan(patient(5_000));
  });

  it.each([1, 6, 20])(
    'does not wait for a target that ended and never reads the %i MB sent to it',
    async (megabytes) => {
      await using sshd = await startSshd();
      await using stalled = await listenLoopback((socket) => socket.pause().end('enough'));
      await using mesh = await startMesh({ sshd, tunnels: { stalled: { target: stalled.port } } });
      await mesh.waitFor(hasSessions(2));
      const send = Buffer.alloc(megabytes * 1_000_000);
      const client = await pythonClient({ port: mesh.port('stalled'), send, endAfterSend: true });
      expect(client).toMatchObject({ end: 'fin', head: 'enough' });
      const { code, ms } = await terminate(mesh);
      expect(code).toBe(0);
      expect(ms).toBeLessThan(patient(4_000));
    },
  );

  it('ends at once on a second SIGTERM', async () => {
    await using sshd = await startSshd();
    await using silent = await startSilent();
    await using mesh = await startMesh({
      sshd,
      tunnels: { slow: { target: silent.port } },
      extra: { stop_grace: '1h' },
    });
    await mesh.waitFor(hasSessions(2));
    await using client = startPythonClient({ port: mesh.port('slow') });
    await mesh.waitFor(({ tunnels }) => tunnels[0]?.usage.open === 1);
    const first = terminate(mesh);
    await waitUntil('readiness flips', async () => (await mesh.daemon.get('/readyz')).status === 503);
    const second = await terminate(mesh);
    expect(second).toMatchObject({ code: 0, signal: null });
    expect(second.ms).toBeLessThan(patient(2_500));
    await first;
    expect(await client.result).toMatchObject({ end: 'rst' });
  });

  it('ends at once on a second SIGTERM while a reload waits for a silent host', async () => {
    await using sshd = await startSshd();
    await using echo = await startEcho();
    const back = { direction: 'remote', target: echo.port };
    await using mesh = await startMesh({
      sshd,
      host: { keepalive: { every: '1m', lost_after: 3 } },
      tunnels: { back },
      extra: { stop_grace: '1h' },
    });
    await mesh.waitForTunnel('up');
    await mesh.waitFor(hasSessions(2));
    const stopped = sshd.sessionPids();
    for (const pid of stopped) signal(pid, 'SIGSTOP');
    try {
      await mesh.write({ tunnels: { back: { ...back, listen: await freePort() } } });
      mesh.daemon.signal('SIGHUP');
      await mesh.waitForTunnel('down');
      const first = terminate(mesh);
      await waitUntil('readiness flips', async () => (await mesh.daemon.get('/readyz')).status === 503);
      const second = await terminate(mesh);
      expect(second).toMatchObject({ code: 0, signal: null });
      expect(second.ms).toBeLessThan(patient(700));
      await first;
    } finally {
      for (const pid of stopped) signal(pid, 'SIGCONT');
    }
  });

  it('ends a hanging connection attempt', async () => {
    await using sshd = await startSshd();
    await using echo = await startEcho();
    await using proxy = await FaultProxy.start(sshd.port);
    proxy.pause();
    const host = { port: proxy.port, known_hosts: knownBehind(sshd, proxy.port), connect_timeout: '60s' };
    await using mesh = await startMesh({ sshd, host, tunnels: { echo: { target: echo.port } } });
    await mesh.waitFor((status) => linkOf(status).state === 'connecting' && proxy.accepted > 0);
    const { code, ms } = await terminate(mesh);
    expect(code).toBe(0);
    expect(ms).toBeLessThan(patient(2_500));
  });

  it('ends a backoff and resets the held client', async () => {
    await using sshd = await startSshd();
    await using echo = await startEcho();
    await sshd.stop();
    const tunnels = { echo: { target: echo.port, while_down: { hold: '60s' } } };
    await using mesh = await startMesh({ sshd, tunnels });
    await mesh.waitFor((status) => linkOf(status).state === 'backoff' && linkOf(status).attempts >= 2);
    await using client = startPythonClient({ port: mesh.port('echo') });
    await mesh.waitFor(({ tunnels: [tunnel] }) => tunnel?.usage.held === 1);
    const { code, ms } = await terminate(mesh);
    expect(code).toBe(0);
    expect(ms).toBeLessThan(patient(3_000));
    expect(await client.result).toMatchObject({ end: 'rst', bytes: 0 });
  });

  it('ends the start with exit code 0 as soon as handlers exist', async () => {
    await using sshd = await startSshd();
    await using echo = await startEcho();
    const loading = heldBack(join(sshd.directory, 'go on'));
    await using mesh = await startMesh({ sshd, env: loading.env, tunnels: { echo: { target: echo.port } } });
    // Node itself has a handler for SIGTERM, which ends the process. Ours are installed with the handler for SIGHUP.
    await waitUntil('signals are heard', () => catches(mesh.daemon.pid, constants.signals.SIGHUP));
    const ended = terminate(mesh);
    loading.goOn();
    expect(await ended).toMatchObject({ code: 0 });
  });

  it('treats a SIGHUP while the program is loaded as a reload', async () => {
    await using sshd = await startSshd();
    await using echo = await startEcho();
    const loading = heldBack(join(sshd.directory, 'go on'));
    await using mesh = await startMesh({ sshd, env: loading.env, tunnels: { echo: { target: echo.port } } });
    await waitUntil('SIGHUP is heard', () => catches(mesh.daemon.pid, constants.signals.SIGHUP));
    mesh.daemon.signal('SIGHUP');
    loading.goOn();
    await mesh.waitFor(({ config }) => config.last_reload?.ok === true);
    await mesh.waitForTunnel('up');
  });

  it('ignores SIGUSR1, which opens the debugger of Node for every local user, and SIGUSR2, which ends a process', async () => {
    await using sshd = await startSshd();
    await using echo = await startEcho();
    await using mesh = await startMesh({ sshd, tunnels: { echo: { target: echo.port } } });
    await mesh.waitForTunnel('up');
    for (const name of ['SIGUSR1', 'SIGUSR2'] as const) {
      expect(catches(mesh.daemon.pid, constants.signals[name])).toBe(true);
      mesh.daemon.signal(name);
    }
    // The signals come before this one.
    await mesh.reload();
    await echoOnce(mesh.port('echo'));
    expect(mesh.daemon.log()).not.toMatch(/debugger/i);
  });
});

/** Holds the daemon back while it loads its program, until `goOn`: a busy machine may look for the moment too late. */
function heldBack(file: string): { readonly env: Record<string, string>; goOn(): void } {
  const module = (text: string) => `data:text/javascript,${encodeURIComponent(text)}`;
  const hooks = module(`import { existsSync } from 'node:fs';
    export async function load(url, context, next) {
      while (url.endsWith('/dist/program.js') && !existsSync(${JSON.stringify(file)})) await new Promise((look) => setTimeout(look, 10));
      return next(url, context);
    }`);
  const preload = module(`import { register } from 'node:module'; register(${JSON.stringify(hooks)});`);
  return { env: { NODE_OPTIONS: `--import=${preload}` }, goOn: () => writeFileSync(file, '') };
}
