import type { Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { TunnelError } from '../../../../src/base/errors.ts';
import { Fleet } from '../../../../src/operator/fleet/fleet.ts';
import type { Status } from '../../../../src/telemetry/status/status.ts';
import type { Way } from '../../../../src/tunnels/tunnel/link-table.ts';
import { hostConfig } from '../../../support/fakes/fake-link.ts';
import { SocketChannelSource } from '../../../support/fakes/socket-channel-source.ts';
import { statusFixture, tunnelFixture } from '../../../support/fakes/status-fixture.ts';
import { LoopGap } from '../../../support/loop-gap.ts';
import { patient } from '../../../support/patience.ts';
import { TcpServer } from '../../../support/peers/tcp-server.ts';

const realNow = performance.now.bind(performance);
const MIB = 1024 * 1024;
const RAW = /[\p{Cc}\p{Cf}]/u;

type Source = SocketChannelSource & { lastError: TunnelError | undefined };

function wayTo(server: TcpServer, changes: Partial<Way['host']> = {}, actor = 'atm-fleet-mesh') {
  const source: Source = Object.assign(new SocketChannelSource(), { lastError: undefined });
  return { host: { ...hostConfig, endpoint: server.address, ...changes }, actor, source };
}

/** One answer for each connection, after the request arrived. */
function answering(body: string | (() => string), head = 'HTTP/1.1 200 OK'): Promise<TcpServer> {
  return TcpServer.listen((socket) => {
    socket.once('data', () => {
      const text = typeof body === 'string' ? body : body();
      socket.end(`${head}\r\ncontent-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
    });
  });
}

const snapshotOf = (changes: Record<string, unknown> = {}) =>
  JSON.stringify({ ...statusFixture({ tunnels: [tunnelFixture(), tunnelFixture({ state: 'down' })] }), ...changes });

/** Writes as fast as the reader reads. */
function flood(socket: Socket, start: string, chunk: string): void {
  socket.write(start);
  const more = () => {
    while (!socket.destroyed && socket.write(chunk));
  };
  socket.on('drain', more);
  more();
}

describe('the fleet', () => {
  let ways: Way[] = [];
  let own: Status;
  let stopped: AbortController;
  let fleet: Fleet;
  beforeEach(() => {
    ways = [];
    own = statusFixture({ node: 'railiance01' });
    stopped = new AbortController();
    fleet = fleetWith(20_000);
  });
  afterEach(() => vi.restoreAllMocks());
  /** Most tests give nodes more time than usual: a busy machine is no silent node. */
  const fleetWith = (answerMs?: number) =>
    new Fleet({ ways: () => ways, snapshot: () => own, stopped: stopped.signal, ...(answerMs && { answerMs }) });

  /** As if all answers were older than ten seconds. */
  const later = (ms = 11_000) => void vi.spyOn(performance, 'now').mockImplementation(() => realNow() + ms);

  it('shows the state of a node, and opens one channel that is closed again', async () => {
    await using server = await answering(snapshotOf({ node: 'far', version: '0.9.0', reason: 'a sentence' }));
    const way = wayTo(server);
    ways = [way];
    const { self, nodes } = await fleet.look();
    expect(self).toMatchObject({ node: 'railiance01', tunnels: { total: own.tunnels.length } });
    expect(nodes).toMatchObject([
      {
        host: 'coulombcore',
        answers: true,
        node: 'far',
        version: '0.9.0',
        state: 'up',
        reason: 'a sentence',
        tunnels: { total: 2, up: 1, down: 1, retired: 0 },
        answered_at: expect.any(Date),
        error: null,
      },
    ]);
    expect(way.source.asked).toMatchObject([{ target: server.address, originator: { port: 0 } }]);
    expect(way.source.allClosed).toBe(true);
  });

  it('asks nobody by itself, and each node once in ten seconds', async () => {
    await using server = await answering(snapshotOf());
    const way = wayTo(server);
    ways = [way];
    expect(way.source.asked).toHaveLength(0);
    const [first, second] = await Promise.all([fleet.look(), fleet.look()]);
    expect(second).toBe(first);
    later(9_000);
    expect(await fleet.look()).toBe(first);
    expect(way.source.asked).toHaveLength(1);
    vi.restoreAllMocks();
    later();
    await fleet.look();
    expect(way.source.asked).toHaveLength(2);
  });

  it('accepts an answer with new fields of a newer version, and without later fields of an older version', async () => {
    const { evidence: _, systemd: __, plan: ___, ...older } = JSON.parse(snapshotOf());
    const newer = JSON.parse(snapshotOf({ future: { deep: [1] } }));
    newer.tunnels[0].future = true;
    newer.tunnels[0].last_error = { code: 'code_of_the_future', message: '', hint: '', at: 'x' };
    for (const body of [older, newer]) {
      await using server = await answering(JSON.stringify(body));
      ways = [wayTo(server)];
      expect((await fleet.look()).nodes).toMatchObject([{ answers: true, tunnels: { total: 2 } }]);
      later();
    }
  });

  it('keeps the time of the last answer, and says why there is no newer one', async () => {
    let body = snapshotOf({ node: 'far' });
    await using server = await answering(() => body);
    const way = wayTo(server);
    ways = [way];
    const before = (await fleet.look()).nodes[0]?.answered_at;
    later();
    body = 'no more';
    expect((await fleet.look()).nodes).toMatchObject([
      {
        answers: false,
        node: 'far',
        state: null,
        version: null,
        tunnels: null,
        answered_at: before,
        error: { code: 'target_unreachable', message: expect.stringContaining('not JSON') },
      },
    ]);
    later(22_000);
    way.source.ready = false;
    way.source.lastError = new TunnelError('connect_refused', 'the host refuses connections');
    const [node] = (await fleet.look()).nodes;
    expect(node).toMatchObject({ answered_at: before, error: { code: 'connect_refused' } });
    expect(way.source.asked).toHaveLength(2);
  });

  it('tries the next link to a host if the first one may not open the channel', async () => {
    await using server = await answering(snapshotOf());
    const [first, second] = [wayTo(server), wayTo(server, {}, 'other')];
    first.source.refusal = new TunnelError('forward_denied', 'administratively prohibited');
    ways = [first, second];
    expect((await fleet.look()).nodes).toMatchObject([{ answers: true, actor: 'other' }]);
    second.source.refusal = first.source.refusal;
    later();
    const [node] = (await fleet.look()).nodes;
    expect(node?.error).toMatchObject({ code: 'forward_denied', hint: expect.stringContaining('permitopen') });
  });

  it('never asks a host with `endpoint: none`', async () => {
    await using server = await answering(snapshotOf());
    const way = wayTo(server, { endpoint: 'none' });
    ways = [way];
    expect((await fleet.look()).nodes).toEqual([]);
    expect(way.source.asked).toHaveLength(0);
  });

  it('asks at most 64 nodes, at most 16 at a time, and names the rest', async () => {
    let most = 0;
    const open = () => ways.flatMap(({ source }) => (source as Source).channels).filter(({ closed }) => !closed);
    await using server = await TcpServer.listen((socket) => {
      socket.once('data', () => {
        most = Math.max(most, open().length);
        setTimeout(() => socket.end('HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n'), 20);
      });
    });
    ways = Array.from({ length: 66 }, (_, index) => wayTo(server, { name: `n${String(index).padStart(2, '0')}` }));
    const { nodes, not_asked } = await fleet.look();
    expect(nodes).toHaveLength(64);
    expect(not_asked).toEqual(['n64', 'n65']);
    expect(most).toBe(16);
  });

  it('ends every question when the daemon stops', async () => {
    await using server = await TcpServer.listen(() => {});
    const way = wayTo(server);
    ways = [way];
    const looking = fleet.look();
    setTimeout(() => stopped.abort(), 50);
    const from = performance.now();
    expect((await looking).nodes).toMatchObject([{ answers: false, error: { code: 'connection_reset' } }]);
    expect(performance.now() - from).toBeLessThan(patient(1_000));
  });

  describe('with a hostile endpoint', () => {
    const bodies: [string, string, RegExp][] = [
      ['garbage', 'garbage', /not JSON/],
      ['JSON of another program', '{"ok":true}', /not a fleet-mesh snapshot/],
      ['another schema', snapshotOf({ schema: 2 }), /schema 1 \(schema\)/],
      ['an unknown state', snapshotOf({ state: '\u001b[31mup' }), /snapshot of schema 1 \(state\)/],
      ['a date beyond all calendars', snapshotOf({ started_at: 1e300 }), /schema 1 \(started_at\)/],
      ['an endless number', snapshotOf().replace('"schema":1,', '"schema":1e999,'), /schema 1 \(schema\)/],
      ['a list of garbage', snapshotOf({ tunnels: new Array(100_000).fill({}) }), /\(tunnels\)/],
      ['garbage as tunnels', snapshotOf({ tunnels: new Array(1_000).fill({}) }), /\(tunnels\.0\.state\)/],
      ['deep brackets', '['.repeat(MIB - 10), /not JSON/],
      ['a prototype', `{"__proto__":{"schema":1},"tunnels":[]}`, /not a fleet-mesh snapshot/],
    ];
    it.each(bodies)('shows %s as a failure with a reason', async (_, body, reason) => {
      await using server = await answering(body);
      const way = wayTo(server);
      ways = [way];
      const [node] = (await fleet.look()).nodes;
      expect(node).toMatchObject({ answers: false, state: null, answered_at: null });
      expect(node?.error?.message).toMatch(reason);
      expect(node?.error?.message).not.toMatch(RAW);
      expect(way.source.allClosed).toBe(true);
    });

    const streams: [string, (socket: Socket) => void, RegExp][] = [
      [
        'an endless body',
        (socket) => flood(socket, 'HTTP/1.1 200 OK\r\n\r\n', 'x'.repeat(65_536)),
        /more than 1024 KiB/,
      ],
      [
        'endless headers',
        (socket) => flood(socket, 'HTTP/1.1 200 OK\r\n', `x: ${'y'.repeat(60)}\r\n`),
        /KiB of headers/,
      ],
      ['another protocol', (socket) => socket.end('SSH-2.0-OpenSSH\r\n'), /not HTTP/],
      [
        'a redirect',
        (socket) => socket.end('HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\n\r\n'),
        /answered 302/,
      ],
      [
        'an end in the middle',
        (socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{'),
        /closed the connection/,
      ],
    ];
    const slow: typeof streams = [
      ['silence', () => {}, /within 2 s/],
      ['a slow drip', (socket) => void setInterval(() => socket.write('x'), 100).unref(), /within 2 s|not HTTP/],
    ];
    const endsInTime = async (serve: (socket: Socket) => void, reason: RegExp) => {
      await using server = await TcpServer.listen((socket) => void socket.once('data', () => serve(socket)));
      const way = wayTo(server);
      ways = [way];
      const from = performance.now();
      const [node] = (await fleet.look()).nodes;
      expect(performance.now() - from).toBeLessThan(patient(4_000));
      expect(node?.error?.message).toMatch(reason);
      expect(way.source.allClosed).toBe(true);
    };
    it.each(streams)('ends %s in time, and shows the reason', (_, serve, reason) => endsInTime(serve, reason));
    it.each(slow)('ends %s in two seconds, and shows the reason', (_, serve, reason) => {
      fleet = fleetWith();
      return endsInTime(serve, reason);
    });

    it('escapes names that play with a terminal, and cuts long ones', async () => {
      const hostile = '\u202e\u200b\u001b[2J';
      const names = { node: `${hostile}railiance01`, version: `v${hostile}`, reason: hostile + 'x'.repeat(100_000) };
      await using server = await answering(snapshotOf(names));
      ways = [wayTo(server)];
      const [node] = (await fleet.look()).nodes;
      expect(node?.answers).toBe(true);
      expect(node?.node).toBe('\\u202e\\u200b\\u001b[2Jrailiance01');
      expect(JSON.stringify(node)).not.toMatch(RAW);
      expect(node?.reason?.length).toBeLessThan(400);
    });

    // Many objects of different shapes take longest, for their size.
    const shapes = (count: number) => Array.from({ length: count }, (_, index) => ({ [`k${index}`]: 0 }));
    it.each([['the longest answer that needs no thread', { x: shapes(2_400) }, 32 * 1024]])(
      'keeps the event loop free while it decodes %s',
      async (_, changes, limit) => {
        const body = snapshotOf(changes);
        expect(body.length).toBeGreaterThan(limit * 0.75);
        expect(body.length).toBeLessThanOrEqual(limit);
        await using server = await answering(body);
        ways = [wayTo(server)];
        // The first time, Node compiles what it runs.
        await fleet.look();
        later();
        const gap = new LoopGap();
        await fleet.look();
        expect(gap.stop()).toBeLessThan(patient(20));
      },
    );
  });
});
