import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { KeepaliveOptions } from '../../../../src/tunnels/ssh/keepalive.ts';
import { FakeConnection } from '../../../support/fakes/fake-connection.ts';

const every5s = { everyMs: 5_000, lostAfter: 3 };
let connection: FakeConnection;
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

function connect(options: KeepaliveOptions = every5s): FakeConnection {
  connection?.keepalive.stop();
  connection = new FakeConnection(options);
  return connection;
}

/** The peer is gone: no reply and no byte. Replies in transit arrive first. */
async function silence(): Promise<number> {
  await pass(50);
  connection.rttMs = undefined;
  return connection.now();
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(async () => {
  connection.keepalive.stop();
  // Replies in transit belong to the test.
  await pass(1_000);
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

describe('a peer that answers', () => {
  test.each([1, 2, 3])('never loses an idle peer that answers, with lost_after: %i', async (lostAfter) => {
    connect({ everyMs: 5_000, lostAfter });
    await pass(600_000);
    expect(connection.lostAt).toBeUndefined();
  });

  test.each([
    { what: 'an idle session in use within a fifth of the interval', differs: {}, least: 50, most: 67 },
    { what: 'an unused session once for each interval', differs: { inUse: false }, least: 10, most: 11 },
    // Its log shows each question.
    {
      what: 'a server without answers once for each interval',
      differs: { answersRequests: false },
      least: 10,
      most: 11,
    },
    { what: 'a peer that sends once for each interval', differs: {}, chats: true, least: 10, most: 11 },
  ])('asks $what', async ({ differs, chats, least, most }) => {
    Object.assign(connect(), differs);
    for (let i = 0; i < 100; i++) {
      await pass(500);
      if (chats) connection.received++;
    }
    expect(connection.requests).toBeGreaterThanOrEqual(least);
    expect(connection.requests).toBeLessThanOrEqual(most);
  });

  test('measures the round trip time', async () => {
    connect();
    expect(connection.keepalive.rttMs).toBeUndefined();
    connection.rttMs = 40;
    await pass(6_000);
    expect(connection.keepalive.rttMs).toBe(40);
  });
});

describe('a peer that falls silent', () => {
  test('loses a silent peer after every × lost_after, never before, and within a fifth of an interval', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 7 }),
        fc.integer({ min: 0, max: 20_000 }),
        async (lostAfter, chatMs) => {
          connect({ everyMs: 1_000, lostAfter });
          await silence();
          // The last byte comes at any moment between two ticks.
          for (let left = chatMs; left > 0; left -= 700) {
            await pass(Math.min(left, 700));
            if (connection.lostAt === undefined) connection.received += 2_000;
          }
          if (connection.lostAt !== undefined) return;
          connection.received++;
          const lastByteAt = connection.now();
          await pass(20_000);
          const silentMs = (connection.lostAt ?? Number.POSITIVE_INFINITY) - lastByteAt;
          expect(silentMs).toBeLessThanOrEqual(1_000 * lostAfter + 200 + 101);
          // A peer that sends but does not answer for very long is lost as well.
          if (connection.lostHow === 'deaf') return;
          expect(silentMs).toBeGreaterThanOrEqual(1_000 * lostAfter);
        },
      ),
      {
        numRuns: 30,
        examples: [
          [1, 15_651],
          [1, 15_652],
        ],
      },
    );
  });

  test.each([true, false])(
    'keeps an idle session through any gap of less than 15 s (answers requests: %s)',
    async (answers) => {
      await fc.assert(
        fc.asyncProperty(fc.integer({ min: 0, max: 6_000 }), async (idleMs) => {
          connect();
          connection.answersRequests = answers;
          await pass(6_000 + idleMs);
          connection.hold = true;
          await pass(14_950);
          connection.release();
          await pass(20_000);
          expect(connection.lostAt).toBeUndefined();
        }),
        { numRuns: 30, examples: [[4_050], [4_999], [950]] },
      );
    },
  );

  test.each([
    { what: 'ends an unused session 15 s after its last byte', usedAgain: false, lost: true },
    { what: 'keeps a session for 15 s of proven silence when it is used again', usedAgain: true, lost: false },
  ])('$what', async ({ usedAgain, lost }) => {
    connect().inUse = false;
    await pass(4_900);
    connection.rttMs = undefined;
    // The first question without an answer leaves now.
    await pass(5_000);
    connection.inUse = usedAgain;
    await pass(5_500);
    expect(connection.lostAt !== undefined).toBe(lost);
    await pass(5_000);
    expect(connection.lostAt).toBeDefined();
  });

  test('never loses a silent peer too early, although timers run slightly early', async () => {
    connect();
    await silence();
    await pass(20);
    connection.received++;
    const lastByteAt = connection.now();
    // libuv's clock counts whole milliseconds: a tick can come up to one millisecond early.
    await pass(1_500);
    connection.stoppedMs -= 0.9;
    await pass(20_000);
    expect(connection.lostAt).toBeGreaterThanOrEqual(lastByteAt + 15_000);
    expect(connection.lostAt).toBeLessThanOrEqual(lastByteAt + 16_501);
  });

  test('reports how long the peer was silent', async () => {
    connect();
    await silence();
    await pass(20_000);
    expect(connection.silentMs).toBeGreaterThanOrEqual(15_000);
    expect(connection.silentMs).toBeLessThanOrEqual(15_250);
  });
});

describe('a sign of life', () => {
  beforeEach(async () => {
    connect();
    await silence();
  });

  test('counts traffic without replies as life for minutes, because replies queue behind bulk data', async () => {
    connection.rttMs = 200_000;
    for (let i = 0; i < 3_600; i++) {
      await pass(1_000);
      connection.received += 2_000;
    }
    expect(connection.lostAt).toBeUndefined();
    connection.keepalive.stop();
    // Bytes in transit.
    await pass(200_000);
  });

  test('counts a full send queue that drains as life', async () => {
    connection.backlog = 2_000_000;
    for (let i = 0; i < 60; i++) {
      await pass(1_000);
      connection.flushed += 50_000;
    }
    expect(connection.lostAt).toBeUndefined();
  });

  test('does not count a stuck send queue as life', async () => {
    connection.backlog = 2_000_000;
    await pass(16_250);
    expect(connection.lostAt).toBeDefined();
  });

  test('does not count a write into the buffer of the kernel as life', async () => {
    for (let i = 0; i < 16; i++) {
      await pass(1_000);
      connection.flushed += 1_000;
    }
    expect(connection.lostAt).toBeDefined();
  });

  test('ignores silence while this process was stopped', async () => {
    connection.stoppedMs = 3_600_000;
    await pass(10_000);
    expect(connection.lostAt).toBeUndefined();
    await pass(6_000);
    expect(connection.lostAt).toBeDefined();
  });
});

describe('a peer that sends, but does not hear us,', () => {
  /** Receives some bytes every second for the given time. */
  const trickle = async (seconds: number, bytes = 50) => {
    for (let i = 0; i < seconds && connection.lostAt === undefined; i++) {
      await pass(1_000);
      connection.received += bytes;
    }
  };

  test('loses a deaf peer after four times the limit for a silent peer', async () => {
    connect();
    const deafAt = await silence();
    await trickle(50);
    expect(connection.lostAt).toBeUndefined();
    await trickle(20);
    expect(connection.lostHow).toBe('deaf');
    expect((connection.lostAt ?? 0) - deafAt).toBeLessThan(64_000);
    expect(connection.silentMs).toBeGreaterThanOrEqual(60_000);
  });

  test('loses a deaf peer in bounded time, however much it sends', async () => {
    connect();
    const deafAt = await silence();
    await trickle(235, 1_000_000);
    expect(connection.lostAt).toBeUndefined();
    await trickle(10, 1_000_000);
    expect(connection.lostHow).toBe('deaf');
    expect((connection.lostAt ?? 0) - deafAt).toBeLessThan(242_000);
  });

  test('waits longer for a peer that sends more, until its stream stops', async () => {
    connect();
    await silence();
    connection.received += 200_000;
    await trickle(150);
    expect(connection.lostAt).toBeUndefined();
    await trickle(20);
    expect(connection.lostHow).toBe('deaf');
  });

  test('keeps a peer whose answers wait behind our own backlog', async () => {
    connect();
    await pass(5_500);
    // Before the next request and the answer to the last one, which says nothing about these bytes.
    connection.rttMs = 2_000;
    await pass(4_600);
    connection.flushed += 4_000_000;
    connection.rttMs = undefined;
    await trickle(230);
    expect(connection.lostAt).toBeUndefined();
  });

  test('loses a deaf peer that answered in between', async () => {
    connect();
    await silence();
    await trickle(55);
    connection.rttMs = 1;
    await pass(5_000);
    await silence();
    await trickle(55);
    expect(connection.lostAt).toBeUndefined();
    await trickle(10);
    expect(connection.lostHow).toBe('deaf');
  });

  test('ignores missing answers while this process was stopped', async () => {
    connect();
    await silence();
    connection.stoppedMs = 3_600_000;
    await trickle(50);
    expect(connection.lostAt).toBeUndefined();
    await trickle(20);
    expect(connection.lostHow).toBe('deaf');
  });
});

describe('check', () => {
  beforeEach(() => connect());

  test('asks the peer immediately at a check', async () => {
    await pass(50);
    const { requests } = connection;
    connection.keepalive.check();
    expect(connection.requests).toBe(requests + 1);
  });

  test('sends one request for many checks', async () => {
    await silence();
    const { requests } = connection;
    for (let i = 0; i < 5; i++) connection.keepalive.check();
    expect(connection.requests).toBe(requests + 1);
  });

  test.each([
    { rttMs: 1, patienceMs: 250 },
    { rttMs: 200, patienceMs: 800 },
  ])(
    'suspects a session without an answer after $patienceMs ms at a round trip of $rttMs ms',
    async ({ rttMs, patienceMs }) => {
      connection.rttMs = rttMs;
      // A long round trip counts once no shorter one is remembered.
      await pass(21_600);
      connection.rttMs = undefined;
      connection.keepalive.check();
      await pass(patienceMs - 1);
      expect(connection.keepalive.suspect).toBe(false);
      await pass(1);
      expect(connection.keepalive.suspect).toBe(true);
    },
  );

  test('ends no session sooner than silence does, however often it is checked', async () => {
    const silentFrom = await silence();
    for (let i = 0; i < 14; i++) {
      connection.keepalive.check();
      await pass(1_000);
    }
    expect(connection.keepalive.suspect).toBe(true);
    expect(connection.lostAt).toBeUndefined();
    await pass(1_500);
    expect(connection.lostAt).toBeGreaterThanOrEqual(silentFrom - 50 + 15_000);
  });

  test('keeps the suspicion when a byte comes that is not an answer', async () => {
    await silence();
    connection.keepalive.check();
    await pass(1_000);
    connection.received++;
    await pass(6_000);
    expect(connection.lostAt).toBeUndefined();
    expect(connection.keepalive.suspect).toBe(true);
  });

  test('ends the suspicion at the late answers after a silence of 14 s', async () => {
    await pass(5_050);
    // The requests of the next 14 s are answered together.
    connection.hold = true;
    await pass(14_000);
    expect(connection.keepalive.suspect).toBe(true);
    expect(connection.lostAt).toBeUndefined();
    expect(connection.keepalive.answeringSince).toBe(Number.NEGATIVE_INFINITY);
    connection.release();
    const releasedAt = connection.now();
    await pass(10);
    expect(connection.keepalive.suspect).toBe(false);
    expect(connection.keepalive.answeringSince).toBe(releasedAt);
    // The outage says nothing about the round trip of a live session.
    expect(connection.keepalive.patienceMs).toBe(250);
  });

  test('suspects a session whose regular keepalive is late, without a check', async () => {
    await silence();
    await pass(900);
    expect(connection.keepalive.suspect).toBe(false);
    await pass(500);
    expect(connection.keepalive.suspect).toBe(true);
  });

  test('suspects a session whose queued data does not move', async () => {
    connection.inUse = false;
    await silence();
    connection.backlog = 2_000_000;
    await pass(1_000);
    expect(connection.keepalive.suspect).toBe(false);
    await pass(500);
    expect(connection.keepalive.suspect).toBe(true);
  });

  test('suspects no session because this process was stopped', async () => {
    await pass(4_999);
    connection.hold = true;
    await pass(10);
    connection.stoppedMs = 60_000;
    await pass(250);
    expect(connection.keepalive.suspect).toBe(false);
    connection.release();
  });

  test('takes the answer to an open as an answer to the keepalive before', async () => {
    await silence();
    connection.keepalive.check();
    const open = connection.order.open('db', false);
    await pass(300);
    expect(connection.keepalive.suspect).toBe(true);
    connection.keepalive.heard(connection.order.settled(open));
    expect(connection.keepalive.suspect).toBe(false);
  });

  test('suspects no session when an answer comes in time', async () => {
    await pass(50);
    connection.keepalive.check();
    await pass(300);
    expect(connection.keepalive.suspect).toBe(false);
  });
});

test('leaves no timer after stop, also after a check', () => {
  connect().rttMs = undefined;
  connection.keepalive.check();
  connection.keepalive.stop();
  vi.advanceTimersByTime(1);
  expect(vi.getTimerCount()).toBe(0);
});
