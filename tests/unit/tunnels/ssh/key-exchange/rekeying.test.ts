import { EventEmitter } from 'node:events';
import type { Client } from 'ssh2';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { REKEY_LIMITS, rekeyDue, rekeyInTime } from '../../../../../src/tunnels/ssh/key-exchange/rekeying.ts';

const GB = 1_000_000_000;
const HOUR_MS = 3_600_000;
const first = { at: 5_000, received: 7, flushed: 9 };

describe('the keys of a session', () => {
  it.each([
    ['are kept below each limit', { at: 5_000 + HOUR_MS - 1, received: 7 + GB - 1, flushed: 9 + GB - 1 }, false],
    ['change after an hour', { ...first, at: 5_000 + HOUR_MS }, true],
    ['change after a received gigabyte', { ...first, received: 7 + GB }, true],
    ['change after a sent gigabyte', { ...first, flushed: 9 + GB }, true],
  ])('%s', (_, now, due) => {
    expect(rekeyDue(REKEY_LIMITS, first, now)).toBe(due);
  });
});

describe('a session that needs new keys', () => {
  let traffic = { received: 0, flushed: 0, backlog: 0 };
  const rekey = vi.fn();
  const onRekey = vi.fn();
  const client = Object.assign(new EventEmitter(), { _protocol: { rekey } });

  beforeEach(() => {
    vi.useFakeTimers();
    rekey.mockClear();
    client.removeAllListeners();
    traffic = { received: 0, flushed: 0, backlog: 0 };
    onRekey.mockClear();
    rekeyInTime(client as unknown as Client, REKEY_LIMITS, { lifesigns: () => traffic, onRekey });
  });
  afterEach(() => {
    client.emit('close');
    expect(vi.getTimerCount()).toBe(0);
    vi.useRealTimers();
  });

  it('starts one exchange at a time, and counts from its end', () => {
    traffic = { ...traffic, received: GB };
    vi.advanceTimersByTime(5_000);
    expect(rekey).toHaveBeenCalledTimes(1);
    traffic = { ...traffic, received: 2 * GB };
    expect(onRekey).toHaveBeenCalledTimes(1);
    client.emit('handshake');
    vi.advanceTimersByTime(5_000);
    expect(rekey).toHaveBeenCalledTimes(1);
    traffic = { ...traffic, flushed: GB };
    vi.advanceTimersByTime(1_000);
    expect(rekey).toHaveBeenCalledTimes(2);
  });

  it('starts none while the server starts them', () => {
    for (let minute = 0; minute < 120; minute += 30) {
      vi.advanceTimersByTime(HOUR_MS / 2);
      client.emit('handshake');
    }
    expect(rekey).not.toHaveBeenCalled();
    vi.advanceTimersByTime(HOUR_MS);
    expect(rekey).toHaveBeenCalledTimes(1);
  });

  it('starts none after its close', () => {
    client.emit('close');
    traffic = { ...traffic, received: GB };
    vi.advanceTimersByTime(HOUR_MS);
    expect(rekey).not.toHaveBeenCalled();
  });
});
