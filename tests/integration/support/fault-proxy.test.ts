import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { bulkDigest, exchangeBulk, startBulkServer } from '../../support/clients/bulk.ts';
import { pythonClient, startPythonClient } from '../../support/clients/python-client.ts';
import { has } from '../../support/machine/capabilities.ts';
import { FaultProxy } from '../../support/peers/fault-proxy.ts';
import { startBanner, startEcho } from '../../support/peers/targets.ts';
import { waitUntil, within } from '../../support/wait-until.ts';

describe('the fault proxy', () => {
  it('passes everything on, both ways at once, ends included', async () => {
    const down = { seed: 1, bytes: 5_000_000 };
    const up = { seed: 2, bytes: 4_000_000 };
    await using server = await startBulkServer(down);
    await using proxy = await FaultProxy.start(server.port);
    const received = server.received();
    expect(await exchangeBulk(proxy.port, up)).toEqual({ ...bulkDigest(down), end: 'fin' });
    expect(await received).toEqual({ ...bulkDigest(up), end: 'fin' });
    expect(proxy.passed).toEqual({ 'to-server': up.bytes, 'to-client': down.bytes });
    await waitUntil('it forgets the connection', () => proxy.open === 0);
  });

  it('keeps data back while paused, and delivers all of it afterwards', async () => {
    await using echo = await startEcho();
    await using proxy = await FaultProxy.start(echo.port);
    const client = await open(proxy.port);
    const heard = listenTo(client);
    client.write('one');
    await waitUntil('the echo', () => heard() === 'one');
    proxy.pause();
    client.write('two');
    // Absence can only be watched for a while; the counter shows that nothing went through, late or lost.
    await pause(100);
    expect([heard(), proxy.passed['to-server']]).toEqual(['one', 3]);
    proxy.resume();
    await waitUntil('the rest', () => heard() === 'onetwo');
    client.destroy();
  });

  it('accepts a connection while paused and stays silent until resumed', async () => {
    await using banner = await startBanner('hello');
    await using proxy = await FaultProxy.start(banner.port);
    proxy.pause();
    const client = await open(proxy.port);
    const heard = listenTo(client);
    await pause(100);
    expect([heard(), banner.accepted()]).toEqual(['', 0]);
    proxy.resume();
    await waitUntil('the banner', () => heard() === 'hello');
    client.destroy();
  });

  it('loses one direction only when told to drop it', async () => {
    await using echo = await startEcho();
    await using proxy = await FaultProxy.start(echo.port);
    proxy.drop('to-client');
    const client = await open(proxy.port);
    const heard = listenTo(client);
    client.write('lost');
    await waitUntil('it is dropped', () => proxy.dropped['to-client'] === 4);
    proxy.resume();
    client.write('kept');
    await waitUntil('the next one', () => heard() === 'kept');
    client.destroy();
  });

  it('refuses and accepts again on the same port', async () => {
    await using echo = await startEcho();
    await using proxy = await FaultProxy.start(echo.port);
    const { port } = proxy;
    await proxy.refuse(true);
    await expect(open(port)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await proxy.refuse(false);
    expect(proxy.port).toBe(port);
    (await open(port)).destroy();
  });

  describe.skipIf(!has('python3'))('as a client without libuv sees it', () => {
    it('cuts with FIN after exactly so many bytes', async () => {
      await using server = await startBulkServer({ seed: 3, bytes: 1_000_000 });
      await using proxy = await FaultProxy.start(server.port);
      proxy.cutAfter(123_457);
      const { sha256 } = bulkDigest({ seed: 3, bytes: 123_457 });
      expect(await pythonClient({ port: proxy.port })).toMatchObject({ end: 'fin', bytes: 123_457, sha256 });
    });

    it('resets with RST', async () => {
      await using echo = await startEcho();
      await using proxy = await FaultProxy.start(echo.port);
      await using client = startPythonClient({ port: proxy.port, send: 'x' });
      await client.received(1);
      proxy.reset();
      expect(await client.result).toMatchObject({ end: 'rst', bytes: 1 });
    });
  });
});

async function open(port: number): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port });
  await within('connected', once(socket, 'connect'));
  socket.on('error', () => {});
  return socket;
}

function listenTo(socket: Socket): () => string {
  let text = '';
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  return () => text;
}
