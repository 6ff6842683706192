import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Client } from '../../../../src/tunnels/clients/client.ts';
import { ClientResolver } from '../../../../src/tunnels/clients/resolver.ts';
import type { Peer } from '../../../../src/tunnels/clients/socket-table.ts';
import { startNamedClient } from '../../../support/clients/named-client.ts';
import { has } from '../../../support/machine/capabilities.ts';
import { waitUntil } from '../../../support/wait-until.ts';

describe.skipIf(!has('procfs'))(ClientResolver, () => {
  let server: Server;
  let port: number;
  let stop: AbortController;
  let results: string[];
  let resolver: ClientResolver;

  beforeEach(async () => {
    server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    port = (server.address() as { port: number }).port;
    [stop, results] = [new AbortController(), []];
    resolver = new ClientResolver({ onAnswered: (result) => results.push(result), onLooked: () => {} }, stop.signal);
  });
  afterEach(() => {
    stop.abort();
    server.close();
  });

  const accepted = async () => {
    const [socket] = (await once(server, 'connection')) as [Socket];
    return socket;
  };
  const peerOf = ({ remoteAddress = '', remotePort = 0, localAddress = '', localPort = 0 }: Socket): Peer => ({
    address: remoteAddress,
    port: remotePort,
    localAddress,
    localPort,
  });
  const ask = (peer: Peer, isOpen = () => true) =>
    new Promise<Client | undefined>((answer) => resolver.ask({ peer, isOpen, answer }));

  it('finds the process, whatever its name', async () => {
    await using child = startNamedClient(port, 'a) 1 \x1b[2J(b');
    using socket = disposing(await accepted());
    // A busy machine may change the table of sockets while it is read, and a child has its name late.
    const named = async () => {
      const client = await ask(peerOf(socket.it));
      return client?.process === 'a) 1 \\u001b[2J(b' && client;
    };
    const client = await waitUntil('the process is found by its name', named);
    expect(client).toMatchObject({ pid: child.pid, uid: process.getuid?.(), pod: null, address: null });
  });

  it('finds this very process, for tunnels that go through tunnels', async () => {
    const client = connect({ host: '127.0.0.1', port });
    using socket = disposing(await accepted());
    // A busy machine may change the table of sockets while it is read.
    await waitUntil('this process is found', async () => (await ask(peerOf(socket.it)))?.pid === process.pid);
    client.destroy();
  });

  it('reports only the address of a client outside this network namespace', async () => {
    const peer = { address: '10.42.0.5', port: 40_000, localAddress: '10.42.0.1', localPort: 18_000 };
    expect(await ask(peer)).toMatchObject({ process: null, pid: null, uid: null, address: '10.42.0.5' });
    expect(results).toEqual(['unknown']);
  });

  it('looks up no client that has closed', async () => {
    const peer = { address: '127.0.0.1', port: 1, localAddress: '127.0.0.1', localPort: 2 };
    expect(await ask(peer, () => false)).toBeUndefined();
    expect(results).toEqual(['skipped']);
  });

  it('answers each question once, limits waiting questions, and ends with its signal', async () => {
    let answers = 0;
    for (let index = 0; index < 10_000; index++) {
      const peer = { address: '127.0.0.1', port: index, localAddress: '127.0.0.1', localPort: 1 };
      resolver.ask({ peer, isOpen: () => true, answer: () => answers++ });
    }
    expect(
      results.filter((result) => result === 'skipped'),
      'at once',
    ).toHaveLength(10_000 - 4_096);
    stop.abort();
    await waitUntil('all are answered', () => answers === 10_000);
    expect(await ask({ address: '127.0.0.1', port: 1, localAddress: '127.0.0.1', localPort: 2 })).toBeUndefined();
    expect(results).toHaveLength(10_001);
  });
});

function disposing(it: Socket): { readonly it: Socket } & Disposable {
  it.on('error', () => {});
  return { it, [Symbol.dispose]: () => it.destroy() };
}
