import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Listener, listen } from '../../../../src/base/net/listener.ts';
import { createMetrics } from '../../../../src/telemetry/metrics/metrics.ts';
import { Clients } from '../../../../src/tunnels/clients/clients.ts';
import { Junction } from '../../../../src/tunnels/forward/junction.ts';
import { type TempDir, tempDir } from '../../../support/machine/temp-dir.ts';
import { waitUntil } from '../../../support/wait-until.ts';

describe(Clients, () => {
  let temp: TempDir;
  let stop: AbortController;
  let clients: Clients;
  let listener: Listener;
  let path: string;
  let accepted: Socket[];

  beforeEach(async () => {
    [temp, stop, accepted] = [tempDir('clients'), new AbortController(), []];
    path = join(temp.path, 'sock');
    clients = new Clients(createMetrics(), stop.signal);
    const watched = clients.watching('state-hub', { listen, junction: new Junction() });
    listener = await watched.listen(
      { kind: 'unix', path },
      (socket) => accepted.push(socket.on('error', () => {})),
      () => {},
    );
  });
  afterEach(async () => {
    stop.abort();
    for (const socket of accepted) socket.destroy();
    await listener.close();
    temp[Symbol.dispose]();
  });

  const usage = (tunnel = 'state-hub') => clients.of(tunnel, new Date());
  const come = async () => {
    const socket = connect({ path });
    const before = accepted.length;
    await waitUntil('it is accepted', () => accepted.length > before);
    return socket;
  };

  it('counts the clients of a Unix socket as unknown', async () => {
    expect(usage()).toMatchObject({ clients: [], other_clients: null });
    const [first, second] = [await come(), await come()];
    accepted[0]?.destroy();
    await waitUntil('one has gone', () => usage()?.clients?.[0]?.open === 1);
    expect(usage()?.clients).toMatchObject([{ process: 'unknown', uid: null, address: null, connections_total: 2 }]);
    for (const socket of [first, second]) socket.destroy();
  });

  it('reports nothing about tunnels that are not watched', async () => {
    expect(usage('another')).toBeUndefined();
  });

  it('forgets a removed tunnel only after its last connection', async () => {
    const socket = await come();
    clients.keepOnly(new Map());
    expect(usage()?.clients).toHaveLength(1);
    socket.destroy();
    accepted[0]?.destroy();
    await waitUntil('it has gone', () => usage()?.clients?.[0]?.open === 0);
    clients.keepOnly(new Map([['state-hub', {}]]));
    expect(usage()?.clients).toHaveLength(1);
    clients.keepOnly(new Map());
    expect(usage()).toBeUndefined();
  });
});
