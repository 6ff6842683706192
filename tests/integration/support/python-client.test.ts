import { describe, expect, it } from 'vitest';
import { bulkDigest, startBulkServer } from '../../support/clients/bulk.ts';
import { pythonClient, startPythonClient } from '../../support/clients/python-client.ts';
import { has } from '../../support/machine/capabilities.ts';
import { freePort } from '../../support/peers/loopback.ts';
import { startAnswerAfterEnd, startResetter, startSilent } from '../../support/peers/targets.ts';

describe.skipIf(!has('python3'))('the python client of the lab', () => {
  it('reports a FIN as FIN, with everything that came before', async () => {
    const plan = { seed: 7, bytes: 3_000_000 };
    await using server = await startBulkServer(plan);
    expect(await pythonClient({ port: server.port })).toMatchObject({ end: 'fin', ...bulkDigest(plan) });
  });

  it('reports a RST as RST', async () => {
    await using server = await startResetter();
    expect(await pythonClient({ port: server.port })).toMatchObject({ end: 'rst' });
  });

  it('reports a RST after data as RST, never as an end of stream', async () => {
    await using server = await startSilent();
    await using client = startPythonClient({ port: server.port });
    await client.connected;
    const [socket] = server.sockets;
    socket?.write('partial');
    await client.received(7);
    socket?.resetAndDestroy();
    expect(await client.result).toMatchObject({ end: 'rst', bytes: 7, head: 'partial' });
  });

  it('half-closes on request and still reads the answer', async () => {
    await using server = await startAnswerAfterEnd((text) => `got ${text}`);
    const result = await pythonClient({ port: server.port, send: 'question', endAfterSend: true });
    expect(result).toMatchObject({ end: 'fin', head: 'got question', send_failed: false });
  });

  it('reports a refused connection and a silent peer', async () => {
    expect(await pythonClient({ port: await freePort() })).toMatchObject({ end: 'refused' });
    await using silent = await startSilent();
    expect(await pythonClient({ port: silent.port, timeoutMs: 200 })).toMatchObject({ end: 'timeout', bytes: 0 });
  });
});
