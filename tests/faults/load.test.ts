import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { bulkDigest, exchangeBulk, startBulkServer } from '../support/clients/bulk.ts';
import { pythonClient } from '../support/clients/python-client.ts';
import { echoOnce } from '../support/clients/steady-client.ts';
import { sessionIds, tunnelOf } from '../support/daemon/mesh.ts';
import { has } from '../support/machine/capabilities.ts';
import { daemonHoldings, expectNothingLeaked, residentBytes } from '../support/machine/daemon-holdings.ts';
import { startAnswerAfterEnd } from '../support/peers/targets.ts';
import { waitUntil } from '../support/wait-until.ts';
import { startStage } from './stage.ts';

const MEGABYTE = 1_000_000;
/** The default settings, not the fast ones of the fault rows: these tests measure load, not recovery. */
const host = { keepalive: { every: '5s', lost_after: 3 }, connect_timeout: '30s' };

/** Heavy tests, one after the other. */
describe.skipIf(!has('sshd') || !has('python3'))('load', () => {
  it('serves 10,000 short connections, 20 at a time, without growing', async () => {
    await using stage = await startStage({ host, echo: { probe: undefined } });
    const { mesh } = stage;
    const run = async (total: number) => {
      let left = total;
      const worker = async () => {
        while (left-- > 0) await echoOnce(mesh.port('echo'));
      };
      await Promise.all(Array.from({ length: 20 }, worker));
    };
    await run(1_000);
    const baseline = await daemonHoldings(mesh);
    const [before, ids, from] = [
      residentBytes(mesh.daemon.pid),
      sessionIds(await mesh.daemon.status()),
      performance.now(),
    ];
    await run(10_000);
    const seconds = (performance.now() - from) / 1000;
    const grown = residentBytes(mesh.daemon.pid) - before;
    process.stderr.write(
      `load: 10,000 connections in ${seconds.toFixed(1)} s, memory ${(grown / MEGABYTE).toFixed(0)} MB more\n`,
    );
    const { usage } = tunnelOf(await mesh.daemon.status(), 'echo');
    expect(usage).toMatchObject({ opened_total: 11_001, failed_total: 0 });
    expect(sessionIds(await mesh.daemon.status())).toEqual(expect.arrayContaining(ids));
    // A leak of 10 kB a connection would be 100 MB; a heap that has not been collected yet is less.
    expect(grown).toBeLessThan(100 * MEGABYTE);
    await expectNothingLeaked(mesh, baseline);
  });

  it('serves 1,000 connections at a time', async () => {
    await using stage = await startStage({ host, echo: { probe: undefined } });
    const { mesh } = stage;
    const baseline = await daemonHoldings(mesh);
    const sockets = Array.from({ length: 1_000 }, () => connect({ host: '127.0.0.1', port: mesh.port('echo') }));
    const answers = sockets.map(
      (socket, n) =>
        new Promise<string>((resolve) => {
          let text = '';
          socket.on('data', (chunk: Buffer) => {
            text += chunk.toString();
            if (text.endsWith('\n')) resolve(text);
          });
          socket.on('error', () => {}).once('close', () => resolve(`${text}(closed)`));
          socket.write(`connection ${n}\n`);
        }),
    );
    expect(await Promise.all(answers)).toEqual(sockets.map((_, n) => `connection ${n}\n`));
    expect((await daemonHoldings(mesh)).open).toBe(1_000);
    for (const socket of sockets) socket.destroy();
    await expectNothingLeaked(mesh, baseline);
  });

  it('bounds its memory for a slow reader of 1 GB, and serves others', async () => {
    await using stage = await startStage({ host });
    await using target = await startBulkServer({ seed: 3, bytes: 1_000 * MEGABYTE });
    const { mesh, tunnels } = stage;
    await mesh.write({ tunnels: { ...tunnels, bulk: { target: target.port } } });
    await mesh.reload();
    const before = residentBytes(mesh.daemon.pid);
    const reader = connect({ host: '127.0.0.1', port: mesh.port('bulk') });
    reader.on('error', () => {});
    // The client requested the data but reads nothing, so the flow must stop.
    let carried = -1;
    await waitUntil(
      'nothing moves any more',
      async () => {
        const now = tunnelOf(await mesh.daemon.status(), 'bulk').usage.bytes_from_target;
        const still = now > 0 && now === carried;
        carried = now;
        await echoOnce(mesh.port('echo'));
        return still;
      },
      10_000,
    );
    let highest = residentBytes(mesh.daemon.pid);
    for (let n = 0; n < 50; n += 1) {
      await echoOnce(mesh.port('echo'));
      highest = Math.max(highest, residentBytes(mesh.daemon.pid));
    }
    const grown = highest - before;
    process.stderr.write(`load: slow reader, ${(grown / MEGABYTE).toFixed(0)} MB more with 1 GB behind it\n`);
    expect(grown).toBeLessThan(80 * MEGABYTE);
    reader.destroy();
    await mesh.waitFor((status) => tunnelOf(status, 'bulk').usage.open === 0);
  });

  it('alters no byte and loses no session with new keys every megabyte under load', async () => {
    const [there, back] = [
      { seed: 4, bytes: 40 * MEGABYTE },
      { seed: 5, bytes: 40 * MEGABYTE },
    ] as const;
    await using stage = await startStage({ host, sshd: { extraConfig: ['RekeyLimit 1M'] } });
    await using target = await startBulkServer(back);
    const { mesh, tunnels } = stage;
    await mesh.write({ tunnels: { ...tunnels, bulk: { target: target.port } } });
    await mesh.reload();
    const ids = sessionIds(await mesh.daemon.status());
    const [sent, got] = await Promise.all([target.received(), exchangeBulk(mesh.port('bulk'), there)]);
    expect(sent).toEqual({ ...bulkDigest(there), end: 'fin' });
    expect(got).toEqual({ ...bulkDigest(back), end: 'fin' });
    expect(sessionIds(await mesh.daemon.status())).toEqual(expect.arrayContaining(ids));
  });

  it('answers a client that half-closes, and leaves nothing behind of one that resets', async () => {
    await using stage = await startStage({ host });
    await using target = await startAnswerAfterEnd((received) => `${received.length} bytes`);
    const { mesh, tunnels } = stage;
    await mesh.write({ tunnels: { ...tunnels, answer: { target: target.port } } });
    await mesh.reload();
    await mesh.waitForTunnel('up', 'answer');
    const baseline = await daemonHoldings(mesh);
    const answered = await pythonClient({ port: mesh.port('answer'), send: 'x'.repeat(100_000), endAfterSend: true });
    expect(answered).toMatchObject({ end: 'fin', head: '100000 bytes', send_failed: false });
    for (let n = 0; n < 100; n += 1) {
      const socket = connect({ host: '127.0.0.1', port: mesh.port('answer') }, () => {
        socket.write('half a word', () => socket.resetAndDestroy());
      });
      await new Promise((resolve) => socket.on('error', () => {}).once('close', resolve));
    }
    await waitUntil('the target is rid of them', () => target.sockets.size === 0);
    await expectNothingLeaked(mesh, baseline);
  });
});
