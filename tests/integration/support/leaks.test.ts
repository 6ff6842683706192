import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { expectNoLeaks, heldBeyond, takeBaseline } from '../../support/machine/leaks.ts';
import { spawnOwned } from '../../support/machine/owned-process.ts';
import { startEcho } from '../../support/peers/targets.ts';
import { waitUntil } from '../../support/wait-until.ts';

describe('what is held beyond a baseline', () => {
  it('passes when everything is given back', async () => {
    const baseline = await takeBaseline();
    {
      await using echo = await startEcho();
      const client = connect({ host: '127.0.0.1', port: echo.port });
      await once(client, 'connect');
      client.destroy();
    }
    await expectNoLeaks(baseline);
  });

  it('names a socket that is still open', async () => {
    await using echo = await startEcho();
    const baseline = await takeBaseline();
    const client = connect({ host: '127.0.0.1', port: echo.port });
    await once(client, 'connect');
    await waitUntil('the socket is named', () => /fd socket[\s\S]*TCPSocketWrap/.test(heldBeyond(baseline).join('\n')));
    client.destroy();
    await expectNoLeaks(baseline);
  });

  it('names a timer and a child process that are still there', async () => {
    const baseline = await takeBaseline();
    const timer = setTimeout(() => {}, 60_000);
    // expect.poll() would keep a timer of its own for seconds.
    await waitUntil('the timer is named', () => heldBeyond(baseline).includes('1 × resource Timeout'));
    clearTimeout(timer);
    {
      await using child = spawnOwned('/bin/sleep', ['60']);
      expect(child.pid).toBeGreaterThan(0);
      await waitUntil('the child is named', () =>
        /child process (sleep|setpriv)/.test(heldBeyond(baseline).join('\n')),
      );
    }
    await expectNoLeaks(baseline);
  });
});
