import { beforeEach, describe, expect, test } from 'vitest';
import { TunnelError } from '../../../../../src/base/errors.ts';
import type { Listener } from '../../../../../src/base/net/listener.ts';
import { Junction } from '../../../../../src/tunnels/forward/junction.ts';
import { ListenForward } from '../../../../../src/tunnels/forward/local/listen-forward.ts';
import { fixedTarget } from '../../../../../src/tunnels/forward/local/negotiate.ts';
import { Usage } from '../../../../../src/tunnels/forward/usage.ts';
import { loopback, SessionSource } from '../../../../support/clients/ssh-session.ts';

/** A bind whose result the test controls. */
let bound: (listener: Listener) => void;
let refused: (error: Error) => void;
let changes: number;
let closed: number;
let forward: ListenForward;

const listener: Listener = {
  address: loopback(1),
  by: 'daemon',
  close: async () => {
    closed++;
  },
};

beforeEach(() => {
  [changes, closed] = [0, 0];
  forward = new ListenForward(
    {
      listen: loopback(1),
      negotiate: fixedTarget(loopback(2)),
      whileDown: { kind: 'refuse' },
      maxConnections: 1,
    },
    {
      source: new SessionSource(),
      usage: new Usage(),
      entrance: {
        listen: () =>
          new Promise((resolve, reject) => {
            [bound, refused] = [resolve, reject];
          }),
        junction: new Junction(),
      },
      onChange: () => changes++,
      onOpened: () => {},
      onFailed: () => {},
      onAcceptError: () => {},
    },
  );
});

describe('a forward that is stopped while its address is being bound', () => {
  test('closes a listener that is bound after the stop, and never serves it', async () => {
    const starting = forward.start();
    await forward.stopAccepting();
    bound(listener);
    await starting;
    expect(closed).toBe(1);
    expect(forward.condition).toEqual({ kind: 'unbound', error: undefined });
    expect(changes).toBe(0);
  });

  test('reports no bind error after the stop', async () => {
    const starting = forward.start();
    await forward.stopAccepting();
    refused(new TunnelError('listen_in_use', 'taken'));
    await starting;
    expect(forward.condition).toEqual({ kind: 'unbound', error: undefined });
    expect(changes).toBe(0);
  });
});
