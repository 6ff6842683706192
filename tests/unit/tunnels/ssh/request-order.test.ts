import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { RequestOrder } from '../../../../src/tunnels/ssh/request-order.ts';

const sent = (sentAt = 0) => ({ sentAt, carried: 0 });
let order: RequestOrder;
beforeEach(() => {
  order = new RequestOrder();
});

describe('an open between two keepalives', () => {
  test('is at work when only the keepalive before has an answer', () => {
    const before = order.keepalive(sent());
    const open = order.open('db', true);
    order.keepalive(sent());
    expect(order.atWork).toBeUndefined();
    order.answered(before);
    expect(order.atWork).toBe(open);
    expect(order.hasPassed(open)).toBe(false);
  });

  test('is passed once the keepalive after has an answer, although the open has none', () => {
    order.keepalive(sent());
    const open = order.open('db', true);
    order.answered(order.keepalive(sent()));
    expect([order.atWork, order.hasPassed(open), order.openCount]).toEqual([undefined, true, 1]);
  });

  test('is not at work when nothing has an answer, because the network may be dead', () => {
    order.keepalive(sent());
    order.open('db', true);
    order.keepalive(sent());
    expect(order.atWork).toBeUndefined();
  });

  test('is at work alone, and not the opens behind', () => {
    const before = order.keepalive(sent());
    const guilty = order.open('db', true);
    order.open('192.0.2.7', false);
    order.keepalive(sent());
    order.open('web', true);
    order.answered(before);
    expect(order.atWork).toBe(guilty);
    const second = order.keepalive(sent());
    order.settled(guilty);
    expect(order.atWork).toBeUndefined();
    order.answered(second);
    expect(order.atWork).toBeUndefined();
  });

  test('is never at work without a keepalive before', () => {
    order.answered(order.keepalive(sent()));
    order.open('db', false);
    order.keepalive(sent());
    expect(order.atWork).toBeUndefined();
  });
});

test('passes a keepalive by the answer to a later open, and not by the answer to an earlier open', () => {
  const early = order.open('slow', false);
  order.keepalive(sent(7));
  const late = order.open('quick', false);
  expect(order.settled(early)).toBeUndefined();
  expect(order.waitingSince).toBe(7);
  expect(order.settled(late)).toMatchObject({ sentAt: 7 });
  expect(order.waitingSince).toBeUndefined();
});

test('waits since the oldest keepalive without an answer', () => {
  const first = order.keepalive(sent(1));
  order.keepalive(sent(2));
  expect(order.waitingSince).toBe(1);
  order.answered(first);
  expect(order.waitingSince).toBe(2);
  order.postpone(9);
  expect(order.waitingSince).toBe(9);
});

test('convicts exactly the open that stops a server which works in order', () => {
  const packets = fc.array(fc.constantFrom('keepalive', 'named', 'plain'), { maxLength: 20 });
  fc.assert(
    fc.property(packets, fc.nat({ max: 40 }), (script, stop) => {
      const requests = new RequestOrder();
      const line: { answer(): void; host?: string }[] = [];
      const keepalive = () => {
        const position = requests.keepalive(sent());
        line.push({ answer: () => requests.answered(position) });
      };
      for (const [n, kind] of script.entries()) {
        if (kind !== 'plain') keepalive();
        if (kind === 'keepalive') continue;
        const open = requests.open(`${kind}${n}`, kind === 'named');
        line.push({ answer: () => requests.settled(open), host: open.host });
      }
      keepalive();
      // The server stops at this packet, or between two packets when the network dies.
      const reached = Math.min(stop, line.length);
      for (const { answer } of line.slice(0, reached)) answer();
      const culprit = line[reached]?.host;
      const named = culprit?.startsWith('named') ? culprit : undefined;
      expect(requests.atWork?.host).toBe(named);
    }),
  );
});
