import { describe, expect, it } from 'vitest';
import { TunnelError } from '../../../../src/base/errors.ts';
import { CurrentLink } from '../../../../src/tunnels/tunnel/current-link.ts';
import { NO_LINK, type TunnelLink } from '../../../../src/tunnels/tunnel/tunnel-link.ts';

const never = new AbortController().signal;
const target = { kind: 'tcp', host: '192.0.2.1', port: 80 } as const;
const originator = { address: '127.0.0.1', port: 1 };

const away: TunnelLink = { ...NO_LINK, state: 'backoff', lastError: new TunnelError('connect_refused', 'refused') };
const up: TunnelLink = { ...NO_LINK, ready: true, state: 'up' };

describe(CurrentLink, () => {
  it('stays blocked and opens nothing until it gets a link', async () => {
    const link = new CurrentLink();
    expect([link.ready, link.state]).toEqual([false, 'blocked']);
    await expect(link.open(target, originator, never)).rejects.toMatchObject({ code: 'connection_reset' });
  });

  it('reports the state of its current link', () => {
    const link = new CurrentLink(away);
    expect([link.ready, link.state, link.lastError]).toEqual([false, 'backoff', away.lastError]);
    link.move(up);
    expect([link.ready, link.state, link.lastError]).toEqual([true, 'up', undefined]);
  });

  it('moves waiting clients to a link that is up', async () => {
    const link = new CurrentLink(away);
    const waiting = link.whenReady(never);
    link.move(up);
    await expect(waiting).resolves.toBeUndefined();
  });

  it('keeps waiting on a link that is down, until the signal aborts', async () => {
    const link = new CurrentLink(away);
    const gaveUp = new AbortController();
    const waiting = link.whenReady(gaveUp.signal);
    link.move({ ...away, state: 'connecting' });
    gaveUp.abort(new Error('the client has gone'));
    await expect(waiting).rejects.toThrow('the client has gone');
  });
});
