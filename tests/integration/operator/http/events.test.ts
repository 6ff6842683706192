import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { EventStreams } from '../../../../src/operator/http/event-streams.ts';
import { type Entry, eventsAnswer } from '../../../../src/retirement/evidence/entry.ts';
import { type RunningEndpoint, startEndpoint } from '../../../support/daemon/endpoint.ts';
import { patient } from '../../../support/patience.ts';
import { waitUntil } from '../../../support/wait-until.ts';

let endpoint: RunningEndpoint;
beforeEach(async () => {
  endpoint = await startEndpoint();
});
afterEach(() => endpoint.stop());

const START = Date.parse('2026-07-20T10:00:00Z');
const at = (seq: number) => new Date(START + seq * 60_000).toISOString();

function entry(seq: number, fields: Record<string, unknown> = {}): Entry {
  return {
    seq,
    at: at(seq),
    uptime_ms: seq,
    event: 'tunnel.state',
    tunnel: 'state-hub',
    ...fields,
    prev: '0'.repeat(64),
  };
}

const get = (query = '', headers: Record<string, string> = {}) => fetch(`${endpoint.url}/events${query}`, { headers });
const answerOf = async (response: Response) => eventsAnswer.parse(await response.json());
const seqs = async (query: string) => (await answerOf(await get(query))).events.map(({ seq }) => seq);

/** A stream, and what has come of it. */
async function follow(query = '', headers: Record<string, string> = {}) {
  const stop = new AbortController();
  const response = await fetch(`${endpoint.url}/events${query}`, {
    headers: { accept: 'text/event-stream', ...headers },
    signal: stop.signal,
  });
  let text = '';
  const over = (async () => {
    for await (const chunk of response.body ?? []) text += Buffer.from(chunk).toString();
  })().catch(() => {});
  const ids = () => [...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id));
  const has = (...wanted: number[]) =>
    waitUntil(`the stream has ${wanted}`, () => JSON.stringify(ids()) === JSON.stringify(wanted) || undefined);
  return { response, ids, has, over, text: () => text, stop: () => stop.abort() };
}

describe('GET /events', () => {
  beforeEach(() => {
    for (const seq of [1, 2, 3]) endpoint.events.add(entry(seq));
    endpoint.events.add(entry(4, { tunnel: 'other' }));
    endpoint.events.add(entry(5, { event: 'operator.down', tunnel: undefined, tunnels: ['state-hub', 'other'] }));
    endpoint.events.add(entry(6, { event: 'heartbeat', tunnel: undefined }));
  });

  test('returns the events of the log, oldest first, without heartbeats', async () => {
    const answer = await answerOf(await get());
    expect(answer.complete).toBe(true);
    expect(answer.events[0]).toEqual(entry(1));
    expect(answer.events.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5]);
  });

  test.each([
    [`?since=${at(3)}`, [3, 4, 5]],
    [`?since=${encodeURIComponent('2026-07-20T12:03:00+02:00')}`, [3, 4, 5]],
    ['?since=1ms', []],
    ['?tunnel=other', [4, 5]],
    [`?tunnel=state-hub&since=${at(2)}`, [2, 3, 5]],
  ])('selects events by %s', async (query, expected) => {
    expect(await seqs(query)).toEqual(expected);
  });

  test.each(['?since=yesterday', '?since=2026', '?sinse=1h', '?tunnel=a&tunnel=b'])(
    'rejects the invalid query %s of /events',
    async (query) => {
      expect((await get(query)).status).toBe(400);
    },
  );

  test('answers 404 for an unknown tunnel, and lists the known and the removed ones', async () => {
    const response = await get('?tunnel=hub');
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ tunnels: ['state-hub', 'other'] });
  });

  test('reports that older events are no longer in memory', async () => {
    for (let seq = 7; seq < 110; seq++) endpoint.events.add(entry(seq));
    expect((await answerOf(await get())).complete).toBe(false);
    expect((await answerOf(await get(`?since=${at(100)}`))).complete).toBe(true);
  });
});

describe('the stream of /events', () => {
  test('streams new events, and with since= also earlier ones', async () => {
    endpoint.events.add(entry(1));
    const [live, all, other] = [await follow(), await follow(`?since=${at(0)}`), await follow('?tunnel=state-hub')];
    expect(live.response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    expect(live.response.headers.get('x-content-type-options')).toBe('nosniff');
    endpoint.events.add(entry(2));
    endpoint.events.add(entry(3, { tunnel: 'other' }));
    await Promise.all([live.has(2, 3), all.has(1, 2, 3), other.has(2)]);
    expect(all.text()).toContain(`data: ${JSON.stringify(entry(1))}\n\n`);
  });

  test('continues the stream after the last event of the client, and reports a gap', async () => {
    for (let seq = 1; seq <= 5; seq++) endpoint.events.add(entry(seq));
    const back = await follow('', { 'last-event-id': '3' });
    await back.has(4, 5);
    expect(back.text()).not.toContain('gap');
    for (let seq = 6; seq <= 110; seq++) endpoint.events.add(entry(seq));
    const late = await follow('', { 'last-event-id': '3' });
    await waitUntil('it is told', () => late.text().includes('event: gap\n') || undefined);
    expect(late.ids()[0]).toBe(11);
  });

  test('ends the stream at once when the endpoint stops', async () => {
    const stream = await follow();
    const since = performance.now();
    await endpoint.stop();
    await stream.over;
    expect(performance.now() - since).toBeLessThan(patient(1_000));
  });

  test('limits the number of streams, and frees a place when a client leaves', async () => {
    const streams = await Promise.all(Array.from({ length: 16 }, () => follow()));
    const refused = await get('', { accept: 'text/event-stream' });
    expect(refused.status).toBe(503);
    expect(refused.headers.get('retry-after')).toBe('30');
    expect((await get()).status).toBe(200);
    streams[0]?.stop();
    await waitUntil('there is room again', async () => {
      const again = await follow();
      return again.response.status === 200 || undefined;
    });
  });

  test('disconnects a stream client that does not read, and bounds its buffer', async () => {
    const slow = connect(endpoint.port, '127.0.0.1');
    slow.on('error', () => {});
    slow.write('GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n');
    await once(slow, 'readable');
    const closed = once(slow, 'close');
    let sent = 0;
    await waitUntil('it is cut off', async () => {
      const more = await get('', { accept: 'text/event-stream' }).then((response) => {
        void response.body?.cancel();
        return response.status;
      });
      expect(more).toBe(200);
      for (let n = 0; n < 20; n++) endpoint.events.add(entry(++sent, { reason: 'x'.repeat(50_000) }));
      return slow.destroyed || slow.closed || sent > 400 || undefined;
    });
    slow.resume();
    await closed;
  });
});

describe(EventStreams, () => {
  test('frees the place of a client that takes nothing for three keepalives', async () => {
    const streams = new EventStreams(20);
    const server = createServer((_request, response) => {
      const entries = Array.from({ length: 40 }, (_, seq) => entry(seq, { reason: 'x'.repeat(250_000) }));
      streams.start(response, { gap: false, entries }, () => () => {});
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const socket = connect(port, '127.0.0.1').on('error', () => {});
    socket.write('GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
    const open = () => new Promise((resolve) => server.getConnections((_, count) => resolve(count)));
    await waitUntil('the client has come', async () => (await open()) === 1);
    await waitUntil('the client has lost its place', async () => (await open()) === 0);
    socket.destroy();
    server.close();
  });
});
