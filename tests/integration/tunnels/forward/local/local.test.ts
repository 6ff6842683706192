import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { bulkDigest, exchangeBulk, startBulkServer } from '../../../../support/clients/bulk.ts';
import { pythonClient, startPythonClient } from '../../../../support/clients/python-client.ts';
import { connectSession } from '../../../../support/clients/ssh-session.ts';
import { Forwarding } from '../../../../support/fakes/forwarding.ts';
import { patient } from '../../../../support/patience.ts';
import { type EmbeddedSshd, startEmbeddedSshd } from '../../../../support/peers/embedded-sshd.ts';
import { freshServer } from '../../../../support/peers/fresh-server.ts';
import { listenLoopback } from '../../../../support/peers/loopback.ts';
import { startAnswerAfterEnd, startEcho, startHalfCloser } from '../../../../support/peers/targets.ts';
import { waitUntil } from '../../../../support/wait-until.ts';

let sshd: EmbeddedSshd;
freshServer(startEmbeddedSshd, (started) => {
  sshd = started;
});

/** A client that handles a reset. */
function dial(port: number): Socket {
  return connect({ host: '127.0.0.1', port, allowHalfOpen: true }).on('error', () => {});
}

async function up(...how: Parameters<typeof Forwarding.to>): Promise<Forwarding> {
  const forwarding = await Forwarding.to(...how);
  forwarding.source.add(await connectSession(sshd));
  return forwarding;
}

describe('a connection', () => {
  it('carries every byte both ways at once', async () => {
    const there = { seed: 1, bytes: 8_000_000 };
    const back = { seed: 2, bytes: 8_000_000 };
    await using target = await startBulkServer(back);
    await using tunnel = await up(target.port);
    const received = await exchangeBulk(tunnel.port, there);
    expect(received).toEqual({ ...bulkDigest(back), end: 'fin' });
    expect(await target.received()).toEqual({ ...bulkDigest(there), end: 'fin' });
    await waitUntil('it is over', () => tunnel.usage.open === 0);
    expect(tunnel.usage.status()).toMatchObject({
      opened_total: 1,
      failed_total: 0,
      bytes_to_target: there.bytes,
      bytes_from_target: back.bytes,
    });
  });

  it('answers a client that half-closes', async () => {
    await using target = await startAnswerAfterEnd((sent) => `you said ${sent}`);
    await using tunnel = await up(target.port);
    const end = await pythonClient({ port: tunnel.port, send: 'hello', endAfterSend: true });
    expect(end).toMatchObject({ end: 'fin', head: 'you said hello' });
  });

  it('carries bytes of the client after the target has half-closed', async () => {
    await using target = await startHalfCloser('first');
    await using tunnel = await up(target.port);
    const socket = dial(tunnel.port);
    const closed = once(socket, 'close');
    await once(socket.resume(), 'end');
    socket.end('later');
    expect(await target.received()).toBe('later');
    await closed;
  });

  it('closes the connection to the target when the client resets', async () => {
    await using target = await startEcho();
    await using tunnel = await up(target.port);
    const socket = dial(tunnel.port);
    socket.write('x');
    await once(socket, 'data');
    socket.resetAndDestroy();
    await waitUntil('the target is let go', () => target.sockets.size === 0);
    await waitUntil('the channel is gone', () => tunnel.source.channels === 0);
    expect(tunnel.usage.open).toBe(0);
  });

  it.each(['fin', 'rst'] as const)('resets a connection, never ends it, when its session is lost (%s)', async (how) => {
    await using target = await listenLoopback((socket) => void socket.write('x'.repeat(100_000)));
    await using tunnel = await up(target.port);
    await using client = startPythonClient({ port: tunnel.port });
    await client.received(65_536);
    sshd.killSessions(how);
    expect((await client.result).end).toBe('rst');
  });

  it('ends a connection cleanly when the target finished before the session was lost', async () => {
    const all = { seed: 3, bytes: 500_000 };
    await using target = await startBulkServer(all);
    await using tunnel = await up(target.port);
    const socket = dial(tunnel.port);
    await once(socket, 'connect');
    // The client reads nothing before the loss: all bytes are on the way.
    await waitUntil(
      'the target has finished',
      () => target.sockets.size === 1 && [...target.sockets][0]?.writableFinished,
    );
    await waitUntil('all of it has arrived', () => tunnel.usage.status().bytes_from_target >= all.bytes);
    // The end of stream has arrived too, once a later connection has ended.
    expect(await pythonClient({ port: tunnel.port, endAfterSend: true })).toMatchObject({
      end: 'fin',
      bytes: all.bytes,
    });
    const [connection] = sshd.connections;
    expect(connection).toBeDefined();
    sshd.killSessions();
    await waitUntil('the session is gone', () => !tunnel.source.ready);
    let bytes = 0;
    socket.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
    });
    await once(socket, 'end');
    socket.destroy();
    expect(bytes).toBe(all.bytes);
  });

  it('keeps a bounded amount in memory when the client reads nothing', async () => {
    await using target = await startBulkServer({ seed: 4, bytes: 200_000_000 });
    await using tunnel = await up(target.port);
    const socket = dial(tunnel.port);
    await once(socket, 'connect');
    const sent = () => [...target.sockets][0]?.bytesWritten ?? 0;
    let before = -1;
    await waitUntil('nothing moves any more', async () => {
      const still = sent() > 0 && sent() === before;
      before = sent();
      await new Promise((resolve) => setTimeout(resolve, 200));
      return still;
    });
    expect(sent()).toBeLessThan(40_000_000);
    socket.destroy();
    await waitUntil('it is over', () => tunnel.usage.open === 0);
  });
});

describe('a forward without a session', () => {
  it('holds a connection, and serves it when a session comes up', async () => {
    await using target = await startEcho();
    await using tunnel = await Forwarding.to(target.port);
    await using client = startPythonClient({ port: tunnel.port, send: 'hello', endAfterSend: true });
    await waitUntil('it is held', () => tunnel.usage.held === 1);
    // A rejected connection still counts as use of the tunnel.
    expect(tunnel.usage.status().last_activity_at).not.toBeNull();
    tunnel.source.add(await connectSession(sshd));
    expect(await client.result).toMatchObject({ end: 'fin', head: 'hello' });
    expect(tunnel.heldSeconds).toHaveLength(1);
  });

  it('resets a connection when the hold is over', async () => {
    await using tunnel = await Forwarding.to(1, {
      whileDown: { kind: 'hold', holdMs: 200, limit: 8, abortOnClose: false },
    });
    expect(await pythonClient({ port: tunnel.port })).toMatchObject({ end: 'rst', bytes: 0 });
    expect(tunnel.codes).toEqual(['connection_reset']);
    expect(tunnel.usage.status()).toMatchObject({ held: 0, failed_total: 1 });
  });

  it('resets a connection beyond the limit at once', async () => {
    await using tunnel = await Forwarding.to(1, {
      whileDown: { kind: 'hold', holdMs: 10_000, limit: 1, abortOnClose: false },
    });
    await using held = startPythonClient({ port: tunnel.port });
    await waitUntil('one is held', () => tunnel.usage.held === 1);
    expect(await pythonClient({ port: tunnel.port })).toMatchObject({ end: 'rst' });
    expect(tunnel.usage.held).toBe(1);
    tunnel.forward.resetAll();
    expect((await held.result).end).toBe('rst');
  });

  it('resets a connection at once when while_down is refuse', async () => {
    await using tunnel = await Forwarding.to(1, { whileDown: { kind: 'refuse' } });
    expect(await pythonClient({ port: tunnel.port })).toMatchObject({ end: 'rst' });
    expect(tunnel.heldSeconds).toEqual([]);
  });

  it('no longer holds a client that resets', async () => {
    await using tunnel = await Forwarding.to(1, {
      whileDown: { kind: 'hold', holdMs: 60_000, limit: 8, abortOnClose: false },
    });
    const socket = dial(tunnel.port);
    await new Promise((resolve) => socket.write('GET / HTTP/1.1\r\n', resolve));
    await waitUntil('it is held', () => tunnel.usage.held === 1);
    // The tunnel reads in these turns: where bytes and a reset come together, libuv reports an end, which is no reset.
    for (let turn = 0; turn < 3; turn += 1) await new Promise(setImmediate);
    socket.resetAndDestroy();
    await waitUntil('it is let go', () => tunnel.usage.held === 0);
    await tunnel.forward.whenIdle();
  });

  it.each([0, 5, 300_000])('keeps the %i bytes of a held client, and its end of stream', async (bytes) => {
    await using target = await startAnswerAfterEnd((sent) => `${sent.length}`);
    await using tunnel = await Forwarding.to(target.port);
    await using client = startPythonClient({ port: tunnel.port, send: 'x'.repeat(bytes), endAfterSend: true });
    await waitUntil('it is held', () => tunnel.usage.held === 1);
    tunnel.source.add(await connectSession(sshd));
    expect(await client.result).toMatchObject({ end: 'fin', head: `${bytes}` });
  });
});

describe('the open of a channel', () => {
  it('resets the client when the target refuses', async () => {
    sshd.setChannels({ kind: 'refuse', reason: 2, text: 'Connection refused' });
    await using tunnel = await up(1);
    expect(await pythonClient({ port: tunnel.port })).toMatchObject({ end: 'rst' });
    expect(tunnel.codes).toEqual(['target_refused']);
  });

  it('gives up an open at its deadline when the target never answers', async () => {
    sshd.setChannels({ kind: 'ignore' });
    await using tunnel = await Forwarding.to(1);
    tunnel.source.add(await connectSession(sshd, { connectTimeoutMs: patient(500) }));
    expect(await pythonClient({ port: tunnel.port })).toMatchObject({ end: 'rst' });
    expect(tunnel.codes).toEqual(['target_unreachable']);
  });

  it('opens a channel on another session when the first one dies', async () => {
    await using other = await startEmbeddedSshd();
    await using target = await startEcho();
    sshd.setChannels({ kind: 'ignore' });
    await using tunnel = await up(target.port);
    tunnel.source.add(await connectSession(other));
    await using client = startPythonClient({ port: tunnel.port, send: 'hello', endAfterSend: true });
    await waitUntil('it was asked for', () => sshd.channelRequests().length === 1);
    sshd.killSessions('rst');
    expect(await client.result).toMatchObject({ end: 'fin', head: 'hello' });
    expect(tunnel.codes).toEqual([]);
  });

  it('closes a new channel when the client has already closed', async () => {
    await using target = await startEcho();
    sshd.setChannels({ kind: 'forward', delayMs: 300 });
    await using tunnel = await up(target.port);
    const socket = dial(tunnel.port);
    await waitUntil('it was asked for', () => sshd.channelRequests().length === 1);
    socket.resetAndDestroy();
    await waitUntil('it was opened', () => target.accepted() === 1);
    await waitUntil('and closed', () => target.sockets.size === 0 && tunnel.source.channels === 0);
    await tunnel.forward.whenIdle();
  });
});

describe('max_connections', () => {
  it('bounds open connections, and counts no ended ones', async () => {
    await using target = await startEcho();
    await using tunnel = await up(target.port, { maxConnections: 2 });
    const open = [1, 2].map(() => dial(tunnel.port));
    await waitUntil('two are open', () => tunnel.usage.open === 2);
    expect(await pythonClient({ port: tunnel.port })).toMatchObject({ end: 'rst' });
    open[0]?.destroy();
    await waitUntil('one has ended', () => tunnel.usage.open === 1);
    const third = dial(tunnel.port);
    await waitUntil('another is open', () => tunnel.usage.open === 2);
    for (const socket of [...open, third]) socket.destroy();
  });

  it('counts waiting connections too', async () => {
    await using tunnel = await Forwarding.to(1, { maxConnections: 1 });
    await using held = startPythonClient({ port: tunnel.port });
    await waitUntil('one is held', () => tunnel.usage.held === 1);
    expect(await pythonClient({ port: tunnel.port })).toMatchObject({ end: 'rst' });
    expect(tunnel.failures.map(({ message }) => message)).toEqual([expect.stringContaining('max_connections (1)')]);
    expect(tunnel.usage.held).toBe(1);
    tunnel.forward.resetAll();
    await held.result;
  });
});
