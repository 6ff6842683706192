import { describe, expect, it } from 'vitest';
import { httpGet } from '../../support/clients/http-get.ts';
import { pythonClient } from '../../support/clients/python-client.ts';
import { has } from '../../support/machine/capabilities.ts';
import { startIssueCore, startStateHub } from '../../support/peers/stand-ins.ts';
import { startHalfCloser } from '../../support/peers/targets.ts';

describe('the targets of the lab', () => {
  it('answer as the State Hub and issue-core do', async () => {
    await using hub = await startStateHub();
    await using issues = await startIssueCore();
    const health = await httpGet(`http://127.0.0.1:${hub.port}/state/health`);
    expect(JSON.parse(health.body)).toEqual({ status: 'ok', db: 'connected' });
    expect((await httpGet(`http://127.0.0.1:${issues.port}/healthz`)).status).toBe(200);
    expect(hub.requests).toEqual(['GET /state/health']);
  });

  it('change or withhold their answer on command', async () => {
    await using hub = await startStateHub();
    hub.set('/state/health', { status: 503, body: { status: 'error' } });
    expect((await httpGet(`http://127.0.0.1:${hub.port}/state/health`)).status).toBe(503);
    hub.set('/state/health', 'silence');
    const silent = httpGet(`http://127.0.0.1:${hub.port}/state/health`, { timeoutMs: 100 });
    await expect(silent).rejects.toThrow('no answer within 100 ms');
  });

  it.skipIf(!has('python3'))('go on reading after they have ended their own direction', async () => {
    await using server = await startHalfCloser('bye');
    const client = await pythonClient({ port: server.port, send: 'afterwards', endAfterSend: true });
    expect(client).toMatchObject({ end: 'fin', head: 'bye' });
    expect(await server.received()).toBe('afterwards');
  });
});
