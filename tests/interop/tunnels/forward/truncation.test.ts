import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { bulkDigest, exchangeBulk, startBulkServer } from '../../../support/clients/bulk.ts';
import { pythonClient, startPythonClient } from '../../../support/clients/python-client.ts';
import { hasSessions, type Mesh, startMesh } from '../../../support/daemon/mesh.ts';
import { has } from '../../../support/machine/capabilities.ts';
import { type Sshd, startSshd } from '../../../support/peers/real-sshd.ts';
import { startAnswerAfterEnd, startHalfCloser, startResetter, startSilent } from '../../../support/peers/targets.ts';
import { waitUntil, within } from '../../../support/wait-until.ts';

const MEGABYTE = 1_000_000;

async function tunnelTo(sshd: Sshd, target: number): Promise<Mesh> {
  const mesh = await startMesh({ sshd, tunnels: { tunnel: { target } } });
  await mesh.waitFor(hasSessions(2));
  return mesh;
}

describe.skipIf(!has('sshd') || !has('python3'))('the end of a stream', () => {
  it('resets a download, never ends it cleanly, when the session dies', async () => {
    await using sshd = await startSshd();
    await using target = await startBulkServer({ seed: 3, bytes: 2_000 * MEGABYTE });
    await using mesh = await tunnelTo(sshd, target.port);
    const clients = Array.from({ length: 3 }, () => startPythonClient({ port: mesh.port('tunnel') }));
    await Promise.all(clients.map((client) => client.received(MEGABYTE)));
    sshd.killSessions();
    for (const client of clients) {
      const { end, bytes } = await client.result;
      expect(end).toBe('rst');
      expect(bytes).toBeLessThan(2_000 * MEGABYTE);
    }
    await mesh.waitFor(({ tunnels: [tunnel] }) => tunnel?.state === 'up' && tunnel.usage.open === 0);
  });

  it('resets an idle connection when the session dies', async () => {
    await using sshd = await startSshd();
    await using target = await startSilent();
    await using mesh = await tunnelTo(sshd, target.port);
    await using client = startPythonClient({ port: mesh.port('tunnel'), send: 'are you there?' });
    await client.connected;
    await mesh.waitFor(({ tunnels }) => tunnels[0]?.usage.open === 1);
    sshd.killSessions();
    expect(await client.result).toMatchObject({ end: 'rst', bytes: 0 });
  });

  it('passes the end of stream to a target that answers only after that', async () => {
    await using sshd = await startSshd();
    await using target = await startAnswerAfterEnd((text) => `${text.length} characters`);
    await using mesh = await tunnelTo(sshd, target.port);
    const send = 'x'.repeat(300_000);
    expect(await pythonClient({ port: mesh.port('tunnel'), send, endAfterSend: true })).toMatchObject({
      end: 'fin',
      head: '300000 characters',
    });
  });

  it('leaves the other direction open when the target ends first', async () => {
    await using sshd = await startSshd();
    await using target = await startHalfCloser('welcome');
    await using mesh = await tunnelTo(sshd, target.port);
    const socket = connect({ host: '127.0.0.1', port: mesh.port('tunnel'), allowHalfOpen: true });
    const ended = new Promise<string>((resolve) => {
      let text = '';
      socket.on('data', (chunk: Buffer) => {
        text += chunk.toString();
      });
      socket.once('end', () => resolve(text));
    });
    expect(await within('the target ends', ended)).toBe('welcome');
    socket.write('long after your ');
    socket.end('end');
    expect(await within('the rest arrives', target.received())).toBe('long after your end');
  });

  it('delivers bytes that the client sends after the target has ended', async () => {
    await using sshd = await startSshd();
    await using target = await startBulkServer();
    await using mesh = await tunnelTo(sshd, target.port);
    const plan = { seed: 4, bytes: 40 * MEGABYTE };
    const [received] = await Promise.all([target.received(), exchangeBulk(mesh.port('tunnel'), plan)]);
    expect(received).toEqual({ ...bulkDigest(plan), end: 'fin' });
  });

  it('closes the connection of the target when the client resets', async () => {
    await using sshd = await startSshd();
    await using target = await startSilent();
    await using mesh = await tunnelTo(sshd, target.port);
    const socket = connect({ host: '127.0.0.1', port: mesh.port('tunnel') });
    await mesh.waitFor(({ tunnels }) => tunnels[0]?.usage.open === 1);
    const [atTarget] = await waitUntil(
      'the target has accepted',
      () => target.sockets.size === 1 && [...target.sockets],
    );
    const closed = new Promise<void>((resolve) => atTarget?.once('close', () => resolve()));
    atTarget?.resume().once('end', () => atTarget.end());
    socket.resetAndDestroy();
    await within('the target sees the end', closed);
    const { usage } = (await mesh.waitFor(({ tunnels }) => tunnels[0]?.usage.open === 0)).tunnels[0] ?? {};
    expect(usage).toMatchObject({ opened_total: 1, failed_total: 0 });
  });

  it('passes every byte that sshd passed on when the target resets', async () => {
    await using sshd = await startSshd();
    await using target = await startResetter('last words');
    await using mesh = await tunnelTo(sshd, target.port);
    // sshd reports an end and a reset alike, as SSH_MSG_CHANNEL_EOF: so does ssh -L.
    const { end } = await pythonClient({ port: mesh.port('tunnel'), timeoutMs: 10_000 });
    expect(['fin', 'rst']).toContain(end);
  });
});
