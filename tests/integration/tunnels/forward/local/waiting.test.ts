import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { socksTarget } from '../../../../../src/tunnels/forward/local/negotiate.ts';
import { pythonClient, startPythonClient } from '../../../../support/clients/python-client.ts';
import { quittingClient } from '../../../../support/clients/quitting-client.ts';
import { connectSession } from '../../../../support/clients/ssh-session.ts';
import { Forwarding } from '../../../../support/fakes/forwarding.ts';
import { tempDir } from '../../../../support/machine/temp-dir.ts';
import { patient } from '../../../../support/patience.ts';
import { type EmbeddedSshd, startEmbeddedSshd } from '../../../../support/peers/embedded-sshd.ts';
import { freshServer } from '../../../../support/peers/fresh-server.ts';
import { startAnswerAfterEnd, startEcho } from '../../../../support/peers/targets.ts';
import { waitUntil } from '../../../../support/wait-until.ts';

let sshd: EmbeddedSshd;
freshServer(startEmbeddedSshd, (started) => {
  sshd = started;
});

/** Holds for longer than any test runs: a client that goes earlier was noticed. */
const HOLD = { kind: 'hold', holdMs: 60_000, limit: 1, abortOnClose: false } as const;
const ABORT = { ...HOLD, abortOnClose: true } as const;

/** Bounds the notice of a client that has gone. */
const NOTICE_MS = 1_000;

const gone = (tunnel: Forwarding) =>
  waitUntil(
    'the client is gone',
    () => tunnel.usage.status().held === 0 && tunnel.usage.held === 0,
    patient(NOTICE_MS),
  );

describe('a client that gives up while held', () => {
  it.each([1, 70_000, 1_000_000])(
    'is noticed after a reset behind %i bytes, frees its slot, and never reaches the target',
    async (bytes) => {
      await using target = await startEcho();
      await using tunnel = await Forwarding.to(target.port, { whileDown: HOLD });
      expect(await quittingClient({ port: tunnel.port, bytes, by: 'reset' })).toBeGreaterThan(0);
      await gone(tunnel);
      expect(tunnel.usage.status()).toMatchObject({ failed_total: 1 });
      await using live = startPythonClient({ port: tunnel.port, send: 'hello', endAfterSend: true });
      await waitUntil('the slot is free', () => tunnel.usage.held === 1);
      tunnel.source.add(await connectSession(sshd));
      expect(await live.result).toMatchObject({ end: 'fin', head: 'hello' });
      expect(target.accepted()).toBe(1);
    },
  );

  it('is noticed when the link comes up right after the reset', async () => {
    await using target = await startEcho();
    const session = await connectSession(sshd);
    for (let round = 1; round <= 5; round += 1) {
      await using tunnel = await Forwarding.to(target.port, { whileDown: HOLD });
      await quittingClient({ port: tunnel.port, bytes: 70_000, by: 'reset' });
      tunnel.source.add(session);
      await tunnel.forward.whenIdle();
      await waitUntil('it is counted', () => tunnel.usage.status().failed_total === 1);
    }
    expect(target.accepted()).toBe(0);
    await session.end();
  });

  it.each([0, 5, 70_000, 150_000])(
    'is noticed after a close behind %i bytes with abort_on_close, and never reaches the target',
    async (bytes) => {
      await using target = await startEcho();
      await using tunnel = await Forwarding.to(target.port, { whileDown: ABORT });
      expect(await quittingClient({ port: tunnel.port, bytes, by: 'close' })).toBe(bytes);
      await gone(tunnel);
      await using live = startPythonClient({ port: tunnel.port, send: 'hello', endAfterSend: true });
      await live.connected;
      await gone(tunnel);
      expect((await live.result).end).toBe('rst');
      tunnel.source.add(await connectSession(sshd));
      expect(await pythonClient({ port: tunnel.port, send: 'x', endAfterSend: true })).toMatchObject({ head: 'x' });
      expect(target.accepted()).toBe(1);
    },
  );

  it('keeps every byte in order with abort_on_close while the client stays', async () => {
    await using target = await startEcho();
    await using tunnel = await Forwarding.to(target.port, { whileDown: ABORT });
    const send = Buffer.from(Array.from({ length: 150_000 }, (_, index) => (index * 7) % 251));
    const client = connect({ host: '127.0.0.1', port: tunnel.port });
    client.write(send);
    await waitUntil('it is held', () => tunnel.usage.held === 1);
    // Long enough for several looks, each of which reads one buffer ahead.
    await new Promise((resolve) => setTimeout(resolve, 600));
    tunnel.source.add(await connectSession(sshd));
    const chunks: Buffer[] = [];
    client.on('data', (chunk) => chunks.push(chunk));
    await waitUntil('all is back', () => Buffer.concat(chunks).length === send.length);
    expect(Buffer.concat(chunks).equals(send)).toBe(true);
    client.destroy();
    await tunnel.forward.whenIdle();
  });

  it('still has its request carried after a close without abort_on_close', async () => {
    await using target = await startEcho();
    await using tunnel = await Forwarding.to(target.port, { whileDown: HOLD });
    await quittingClient({ port: tunnel.port, bytes: 5, by: 'close' });
    await waitUntil('it is held', () => tunnel.usage.held === 1);
    tunnel.source.add(await connectSession(sshd));
    await waitUntil('its bytes arrived', () => tunnel.usage.status().bytes_to_target === 5);
    await tunnel.forward.whenIdle();
  });

  it('is noticed at the junction of a cut-over too', async () => {
    await using tunnel = await Forwarding.to(1, { whileDown: ABORT });
    tunnel.junction.hold();
    for (const by of ['reset', 'close'] as const) {
      await quittingClient({ port: tunnel.port, bytes: 70_000, by });
      await gone(tunnel);
    }
    await waitUntil('both are counted', () => tunnel.usage.status().failed_total === 2);
  });

  it('is not mistaken for gone on a Unix socket, which has no reset', async () => {
    await using target = await startAnswerAfterEnd((sent) => `${sent.length}`);
    using directory = tempDir('waiting');
    const path = join(directory.path, 'socket');
    await using tunnel = await Forwarding.to(target.port, { listen: { kind: 'unix', path }, whileDown: HOLD });
    await using client = startPythonClient({ path, send: 'x'.repeat(70_000), endAfterSend: true });
    await waitUntil('it is held', () => tunnel.usage.held === 1);
    await new Promise((resolve) => setTimeout(resolve, 300));
    tunnel.source.add(await connectSession(sshd));
    expect(await client.result).toMatchObject({ end: 'fin', head: '70000' });
  });
});

describe('a client without a channel', () => {
  it('counts while the target does not answer, until it resets behind its data', async () => {
    sshd.setChannels({ kind: 'ignore' });
    await using tunnel = await Forwarding.to(1);
    tunnel.source.add(await connectSession(sshd));
    await using client = startPythonClient({ port: tunnel.port });
    await waitUntil('it waits', () => sshd.channelRequests().length === 1);
    expect(tunnel.usage.status()).toMatchObject({ open: 0, held: 1 });
    // The wait for the target takes no slot of while_down, and is not timed as a hold.
    expect(tunnel.usage.held).toBe(0);
    expect(tunnel.junction.through).toBe(1);
    tunnel.forward.resetAll();
    await client.result;
    await gone(tunnel);

    await quittingClient({ port: tunnel.port, bytes: 1_000_000, by: 'reset' });
    await gone(tunnel);
    expect(tunnel.junction.through).toBe(0);
    expect(tunnel.heldSeconds).toEqual([]);
  });

  it('counts in a silent SOCKS handshake, and dates the last use when it goes', async () => {
    await using tunnel = await Forwarding.to(1, { negotiate: socksTarget([]) });
    tunnel.source.add(await connectSession(sshd));
    const client = connect({ host: '127.0.0.1', port: tunnel.port }).on('error', () => {});
    await waitUntil('it waits', () => tunnel.usage.status().held === 1);
    const before = tunnel.usage.status().last_activity_at?.getTime() ?? 0;
    await new Promise((resolve) => setTimeout(resolve, 50));
    client.destroy();
    await gone(tunnel);
    expect(tunnel.usage.status().last_activity_at?.getTime()).toBeGreaterThanOrEqual(before + 40);
    await tunnel.forward.whenIdle();
  });
});
