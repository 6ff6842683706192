import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TunnelError } from '../../../../src/base/errors.ts';
import { DirectSource } from '../../../../src/tunnels/forward/direct-source.ts';
import type { Detour, DetourTerms } from '../../../../src/tunnels/forward/junction.ts';
import { Usage } from '../../../../src/tunnels/forward/usage.ts';
import { bulkDigest, exchangeBulk, startBulkServer } from '../../../support/clients/bulk.ts';
import { pythonClient } from '../../../support/clients/python-client.ts';
import { loopback } from '../../../support/clients/ssh-session.ts';
import { echoOnce } from '../../../support/clients/steady-client.ts';
import { Forwarding } from '../../../support/fakes/forwarding.ts';
import { expectNoLeaks, type Holdings, takeBaseline } from '../../../support/machine/leaks.ts';
import { listenLoopback } from '../../../support/peers/loopback.ts';
import { startAnswerAfterEnd, startEcho, startHalfCloser, startResetter } from '../../../support/peers/targets.ts';
import { waitUntil } from '../../../support/wait-until.ts';

let baseline: Holdings;
let usage: Usage;
let taken: (TunnelError['code'] | 'ok')[];

beforeEach(async () => {
  baseline = await takeBaseline(50);
  [usage, taken] = [new Usage(), []];
});
afterEach(() => expectNoLeaks(baseline));

const TRIAL: DetourTerms = { kind: 'trial', onTaken: (error) => void taken.push(error?.code ?? 'ok') };

const detour = (port: number, terms: DetourTerms = { kind: 'committed' }): Detour => ({
  ...terms,
  source: new DirectSource('relay'),
  target: loopback(port),
  usage,
});
/** A forward without a session, whose clients use the detour. */
async function diverted(port: number, terms: DetourTerms = { kind: 'committed' }): Promise<Forwarding> {
  const forwarding = await Forwarding.to(1, { whileDown: { kind: 'refuse' } });
  forwarding.junction.release(detour(port, terms));
  return forwarding;
}

function dial(port: number): Socket {
  return connect({ host: '127.0.0.1', port, allowHalfOpen: true }).on('error', () => {});
}

describe('a connection that goes by a detour', () => {
  it('carries every byte of a detour both ways at once, and counts no use of the tunnel', async () => {
    const [there, back] = [
      { seed: 1, bytes: 4_000_000 },
      { seed: 2, bytes: 4_000_000 },
    ];
    await using target = await startBulkServer(back);
    await using tunnel = await diverted(target.port);
    expect(await exchangeBulk(tunnel.port, there)).toEqual({ ...bulkDigest(back), end: 'fin' });
    expect(await target.received()).toEqual({ ...bulkDigest(there), end: 'fin' });
    await waitUntil('it is over', () => usage.open === 0);
    expect(usage.status()).toMatchObject({
      opened_total: 1,
      bytes_to_target: there.bytes,
      bytes_from_target: back.bytes,
    });
    expect(tunnel.usage.status()).toMatchObject({ opened_total: 0, failed_total: 0, last_activity_at: null });
    expect(tunnel.junction.through).toBe(0);
  });

  it('passes a half-close of a detour from either side', async () => {
    await using answerer = await startAnswerAfterEnd((sent) => `you said ${sent}`);
    await using tunnel = await diverted(answerer.port);
    const end = await pythonClient({ port: tunnel.port, send: 'hello', endAfterSend: true });
    expect(end).toMatchObject({ end: 'fin', head: 'you said hello' });

    await using target = await startHalfCloser('first');
    tunnel.junction.release(detour(target.port));
    const socket = dial(tunnel.port);
    const closed = once(socket, 'close');
    await once(socket.resume(), 'end');
    socket.end('later');
    expect(await target.received()).toBe('later');
    await closed;
  });

  it('passes a reset of a detour both ways', async () => {
    await using resetter = await startResetter('half of it');
    await using tunnel = await diverted(resetter.port);
    expect(await pythonClient({ port: tunnel.port })).toMatchObject({ end: 'rst' });

    let failure: NodeJS.ErrnoException | undefined;
    await using target = await listenLoopback((socket) => {
      socket.resume().on('error', (error) => {
        failure = error;
      });
      socket.write('x');
    });
    tunnel.junction.release(detour(target.port));
    const socket = dial(tunnel.port);
    await once(socket, 'data');
    socket.resetAndDestroy();
    await waitUntil('the target is let go', () => target.sockets.size === 0);
    expect(failure?.code).toBe('ECONNRESET');
  });

  it('resets a client that a committed successor refuses, and tunnels a client that a trial successor refuses', async () => {
    await using tunnel = await diverted(1);
    expect(await pythonClient({ port: tunnel.port })).toMatchObject({ end: 'rst', bytes: 0 });
    expect([tunnel.usage.status().failed_total, usage.status().failed_total]).toEqual([0, 1]);
    tunnel.junction.release(detour(1, TRIAL));
    // No session is up and the client does not wait for one: only the chosen route matters here.
    await pythonClient({ port: tunnel.port });
    expect(taken).toEqual(['target_refused']);
    expect(tunnel.usage.status()).toMatchObject({ failed_total: 1, last_activity_at: expect.any(Date) });
    expect(tunnel.codes).toEqual(['connection_reset']);
  });
});

describe('a successor on trial', () => {
  it('reports a client that the trial successor took, and counts no use of the tunnel', async () => {
    await using target = await startEcho();
    await using tunnel = await diverted(target.port, TRIAL);
    await echoOnce(tunnel.port);
    await waitUntil('it is over', () => usage.open === 0);
    expect([taken, usage.status().opened_total, tunnel.usage.status().opened_total]).toEqual([['ok'], 1, 0]);
  });
});

describe('a successor on trial that takes nobody', () => {
  it.each<[string, (socket: Socket) => void]>([
    ['resets each connection at once', (socket) => void socket.resetAndDestroy()],
    ['closes each connection at once', (socket) => void socket.end()],
    ['resets each connection a little later', (socket) => void setTimeout(() => socket.resetAndDestroy(), 20)],
  ])('gets no byte of the clients when it %s: they go through the tunnel', async (_, end) => {
    let bytes = 0;
    await using target = await listenLoopback((socket) => {
      socket.on('data', (chunk) => {
        bytes += chunk.length;
      });
      end(socket);
    });
    await using tunnel = await diverted(target.port, TRIAL);
    await pythonClient({ port: tunnel.port, send: 'hello' });
    // There is no session either: that it was tried is what counts.
    expect([taken, tunnel.codes, bytes]).toEqual([['target_unreachable'], ['connection_reset'], 0]);
  });

  it('is told from one that answers when it resets each connection at its first byte', async () => {
    await using target = await listenLoopback((socket) => void socket.once('data', () => socket.resetAndDestroy()));
    await using tunnel = await diverted(target.port, TRIAL);
    expect(await pythonClient({ port: tunnel.port, send: 'hello' })).toMatchObject({ end: 'rst' });
    expect(taken).toEqual(['target_unreachable']);
  });

  it('is not blamed for a client that leaves without a question', async () => {
    await using target = await listenLoopback((socket) => void socket.on('end', () => socket.end()).resume());
    await using tunnel = await diverted(target.port, TRIAL);
    expect(await pythonClient({ port: tunnel.port, send: '', endAfterSend: true })).toMatchObject({ end: 'fin' });
    await waitUntil('it is over', () => usage.open === 0);
    expect(taken).toEqual([]);
  });
});

describe('a connection that is held', () => {
  it('counts a held connection unread, and sends it along the new route when released', async () => {
    await using target = await startEcho();
    await using tunnel = await Forwarding.to(1);
    tunnel.junction.hold();
    const asked = echoOnce(tunnel.port);
    await waitUntil('it is held', () => tunnel.usage.held === 1);
    expect(tunnel.junction.through).toBe(0);
    tunnel.junction.release(detour(target.port));
    await asked;
    await waitUntil('it is over', () => usage.open === 0);
    expect([tunnel.usage.held, usage.status().opened_total, tunnel.heldSeconds.length]).toEqual([0, 1, 1]);
    // A held connection counts for the tunnel until its route is known.
    expect(tunnel.usage.status().last_activity_at).not.toBeNull();
  });

  it('stops counting a held connection when its client closes', async () => {
    await using tunnel = await Forwarding.to(1);
    tunnel.junction.hold();
    const socket = dial(tunnel.port);
    await waitUntil('it is held', () => tunnel.usage.held === 1);
    socket.resetAndDestroy();
    await waitUntil('nobody is held', () => tunnel.usage.held === 0);
    tunnel.junction.release(undefined);
  });
});
