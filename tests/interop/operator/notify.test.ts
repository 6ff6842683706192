import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Notice } from '../../../src/operator/notify/notice.ts';
import { startMesh } from '../../support/daemon/mesh.ts';
import { has } from '../../support/machine/capabilities.ts';
import { startSshd } from '../../support/peers/real-sshd.ts';
import { startEcho } from '../../support/peers/targets.ts';
import { waitUntil } from '../../support/wait-until.ts';

describe.skipIf(!has('sshd'))('a webhook of the configuration', () => {
  const notices: Notice[] = [];
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    notices.push(JSON.parse(body));
    response.end();
  });
  beforeAll(() => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve)));
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });
  const about = (state: string) => notices.find((notice) => notice.event === 'tunnel.state' && notice.state === state);

  it('is told that a tunnel is down and that it is up again, and nothing after a reload without webhooks', async () => {
    await using sshd = await startSshd();
    await using echo = await startEcho();
    const webhook = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
    const tunnels = { db: { target: echo.port, production: true } };
    await using mesh = await startMesh({
      sshd,
      tunnels,
      extra: { notify: [{ webhook, events: ['tunnel.state', 'node.state'] }] },
    });
    await mesh.waitForTunnel('up');
    await sshd.stop();
    const down = await waitUntil('the webhook hears of the outage', () => about('down'));
    expect(down).toMatchObject({
      tunnel: 'db',
      // An attempt may meet the sshd that is ending.
      code: expect.stringMatching(/^connect(_refused|ion_reset)$/),
      text: expect.stringContaining('db is down: '),
    });
    await sshd.restart();
    await waitUntil('the webhook hears of the recovery', () => about('up'), 60_000);
    expect(notices.filter(({ event }) => event === 'tunnel.state')).toHaveLength(2);
    const { last_reload: reload } = await mesh
      .write({ extra: {} })
      .then(() => mesh.reload())
      .then(({ config }) => config);
    expect(reload?.ok).toBe(true);
    expect(mesh.daemon.log()).not.toContain('/hook');
  });
});
