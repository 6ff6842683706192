import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Signal } from '../../../../src/base/async/signal.ts';
import type { Channel } from '../../../../src/tunnels/channel/channel-source.ts';
import { type Opener, openHedged } from '../../../../src/tunnels/link/hedge.ts';

const never: Opener = () => new Promise(() => {});

function channel(): Channel & { closed: boolean } {
  return {
    closed: false,
    stream: new PassThrough(),
    onLost: () => {},
    close() {
      this.closed = true;
    },
  };
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

describe('an open that is not answered', () => {
  const open = (next: () => Opener | undefined, first: Opener = never, signal = new AbortController().signal) =>
    openHedged({ first, patienceMs: 250, onSlow: () => {}, instead: () => undefined, next, onRaced: () => {} }, signal);

  test('opens on another session once the patience is over', async () => {
    const other = channel();
    const opened = open(() => async () => other);
    await vi.advanceTimersByTimeAsync(250);
    expect(await opened).toBe(other);
  });

  test('asks the first session for a sign of life long before the patience is over', async () => {
    let askedAt = 0;
    const from = performance.now();
    const onSlow = () => {
      askedAt = performance.now() - from;
    };
    const gone = new AbortController();
    openHedged(
      { first: never, patienceMs: 250, onSlow, instead: () => undefined, next: () => undefined, onRaced: () => {} },
      gone.signal,
    ).catch(() => {});
    expect(vi.getTimerCount()).toBe(1);
    await vi.advanceTimersByTimeAsync(250);
    expect(askedAt).toBe(100);
    gone.abort();
  });

  test('withdraws the slower open, and closes a channel that still opens', async () => {
    const [slow, quick] = [channel(), channel()];
    let withdrawn: Signal | undefined;
    let answer: (channel: Channel) => void = () => {};
    const first: Opener = (signal) => {
      withdrawn = signal;
      return new Promise((resolve) => {
        answer = resolve;
      });
    };
    const opened = open(() => async () => quick, first);
    await vi.advanceTimersByTimeAsync(250);
    expect(await opened).toBe(quick);
    expect(withdrawn?.aborted).toBe(true);
    answer(slow);
    await vi.advanceTimersByTimeAsync(0);
    expect([slow.closed, quick.closed]).toEqual([true, false]);
  });

  test('asks a third session when the second one does not answer either', async () => {
    const third = channel();
    const openers = [never, async () => third];
    const winners: number[] = [];
    const opened = openHedged(
      {
        first: never,
        patienceMs: 250,
        onSlow: () => {},
        instead: () => undefined,
        next: () => openers.shift(),
        onRaced: (n) => winners.push(n),
      },
      new AbortController().signal,
    );
    await vi.advanceTimersByTimeAsync(375);
    expect(await opened).toBe(third);
    expect(winners).toEqual([2]);
  });

  test('looks for another session again while none is available', async () => {
    const other = channel();
    const asked: number[] = [];
    const from = performance.now();
    const opened = open(() => {
      asked.push(performance.now() - from);
      return asked.length < 3 ? undefined : async () => other;
    });
    await vi.advanceTimersByTimeAsync(500);
    expect(await opened).toBe(other);
    expect(asked).toEqual([250, 375, 500]);
  });

  test('stops looking for another session after an answer or an abort', async () => {
    const mine = channel();
    const late: Opener = () => new Promise((resolve) => setTimeout(() => resolve(mine), 400));
    const opened = open(() => undefined, late);
    await vi.advanceTimersByTimeAsync(400);
    expect(await opened).toBe(mine);

    const gone = new AbortController();
    const given = open(() => undefined, never, gone.signal);
    given.catch(() => {});
    await vi.advanceTimersByTimeAsync(600);
    gone.abort(new Error('the client went away'));
    await expect(given).rejects.toThrow('the client went away');
  });
});
