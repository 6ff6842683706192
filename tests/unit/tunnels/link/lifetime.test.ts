import { describe, expect, it } from 'vitest';
import { verdictOn } from '../../../../src/tunnels/link/lifetime.ts';

const NOW = new Date('2026-07-20T10:00:00Z');
const past = new Date(NOW.getTime() - 1);
const future = new Date(NOW.getTime() + 1);

describe(verdictOn, () => {
  it.each([
    ['keeps a session without a certificate', undefined, undefined, 'cut', 1_000, 'keep'],
    ['keeps a session while its certificate is valid', future, undefined, 'cut', undefined, 'keep'],
    ['keeps an expired session with on_expiry keep', past, undefined, 'keep', undefined, 'keep'],
    ['drains an expired session with on_expiry drain', past, undefined, 'drain', undefined, 'drain'],
    ['cuts an expired session with on_expiry cut', NOW, undefined, 'cut', undefined, 'cut'],
    ['keeps a replaced session during drain_timeout', undefined, 9_001, 'keep', 1_000, 'keep'],
    ['cuts a replaced session after drain_timeout', undefined, 9_000, 'keep', 1_000, 'cut'],
    ['keeps a replaced session for good without drain_timeout', undefined, 0, 'keep', undefined, 'keep'],
  ] as const)('%s', (_, validBefore, leftSince, onExpiry, drainTimeoutMs, expected) => {
    expect(verdictOn({ validBefore, leftSince }, { onExpiry, drainTimeoutMs }, NOW, 10_000)).toBe(expected);
  });
});
