import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dial } from '../../support/daemon/control-socket.ts';
import { runCli } from '../../support/daemon/daemon.ts';
import { type Mesh, startMesh } from '../../support/daemon/mesh.ts';
import { has } from '../../support/machine/capabilities.ts';
import { patient } from '../../support/patience.ts';
import { type Sshd, startSshd } from '../../support/peers/real-sshd.ts';
import { startEcho } from '../../support/peers/targets.ts';
import { waitUntil } from '../../support/wait-until.ts';

/** One request, a short one, on a connection that stays open. */
const LIVEZ = 'GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n';
/** Far below the time after which the daemon drops a silent connection by itself (5 s). */
const SHORT_MS = 4_000;

describe.skipIf(!has('sshd'))('the doors of the daemon', () => {
  let sshd: Sshd;
  let mesh: Mesh;
  let socket = '';
  const crowd: Socket[] = [];

  beforeAll(async () => {
    sshd = await startSshd();
    const echo = await startEcho();
    socket = join(sshd.directory, 'crowd.sock');
    mesh = await startMesh({ sshd, tunnels: { echo: { target: echo.port } }, extra: { control: { socket } } });
    await mesh.waitForTunnel('up', 'echo');
  });
  afterAll(async () => {
    for (const each of crowd) each.destroy();
    await mesh?.[Symbol.asyncDispose]();
    await sshd?.[Symbol.asyncDispose]();
  });

  async function arrive(count: number, bytes: string, kept = true): Promise<Socket[]> {
    const sockets = Array.from({ length: count }, () => {
      const each = connect(mesh.endpointPort, '127.0.0.1').on('error', () => {});
      each.write(bytes);
      if (kept) each.resume();
      return each;
    });
    crowd.push(...sockets);
    await Promise.all(sockets.map((each) => once(each, 'connect').catch(() => {})));
    return sockets;
  }

  /** The requests that a supervisor, a script and Prometheus make. */
  async function allAnswer(): Promise<void> {
    const since = performance.now();
    expect((await mesh.daemon.get('/livez')).status).toBe(200);
    expect((await mesh.daemon.get('/readyz')).status).toBe(200);
    expect((await mesh.daemon.get('/drain/echo?require=retirable')).status).toBe(503);
    expect((await mesh.daemon.get('/metrics', { accept: 'text/plain' })).status).toBe(200);
    expect((await runCli(['status', '--config', mesh.configFile])).code).toBe(0);
    expect(performance.now() - since).toBeLessThan(patient(SHORT_MS));
  }

  it('answers short requests beside 300 connections that are kept alive', async () => {
    await arrive(300, LIVEZ);
    await allAnswer();
  });

  it('answers short requests beside 600 half-sent requests', async () => {
    await arrive(600, 'GET /livez HTTP/1.1\r\nHost: 127');
    await allAnswer();
  });

  it('answers short requests beside event streams, long polls and clients that never read /metrics', async () => {
    const head = (path: string, accept: string) =>
      `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: ${accept}\r\n\r\n`;
    await arrive(20, head('/events', 'text/event-stream'), false);
    await arrive(40, head('/drain/echo?require=retirable&wait=60s', 'application/json'), false);
    await arrive(60, head('/metrics', 'text/plain').repeat(16), false);
    // Hundreds of requests in one packet: each page costs the daemon some milliseconds.
    await arrive(60, head('/metrics', 'text/plain').repeat(400), false);
    await allAnswer();
  });

  it('carries out commands beside 2,000 connections to the control socket', async () => {
    const silent = Array.from({ length: 2_000 }, () => dial(socket));
    crowd.push(...silent);
    await waitUntil(
      'most of them have been accepted or refused',
      () => silent.filter((each) => each.closed).length > 500,
    );
    const since = performance.now();
    expect(await runCli(['reload', '--config', mesh.configFile])).toMatchObject({ code: 0 });
    expect(performance.now() - since).toBeLessThan(patient(SHORT_MS));
  });
});
