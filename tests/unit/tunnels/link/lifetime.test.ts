import { describe, expect, it } from 'vitest';
import { verdictOn } from '../../../../src/tunnels/link/lifetime.ts';

const NOW = new Date('2026-07-20T10:00:00Z');
const past = new Date(NOW.getTime() - 1);
const future = new Date(NOW.getTime() + 1);

describe('the end of a session', () => {
  it.each([
    ['goes on without an end', undefined, undefined, 'cut', 1_000, 'keep'],
    ['goes on while its certificate is valid', future, undefined, 'cut', undefined, 'keep'],
    ['goes on past its certificate if told to', past, undefined, 'keep', undefined, 'keep'],
    ['takes no more connections once its certificate has expired', past, undefined, 'drain', undefined, 'drain'],
    ['is cut once its certificate has expired', NOW, undefined, 'cut', undefined, 'cut'],
    ['is left to its connections for drain_timeout', undefined, 9_001, 'keep', 1_000, 'keep'],
    ['is cut after drain_timeout', undefined, 9_000, 'keep', 1_000, 'cut'],
    ['is left to its connections for good without one', undefined, 0, 'keep', undefined, 'keep'],
  ] as const)('%s', (_, validBefore, leftSince, onExpiry, drainTimeoutMs, expected) => {
    expect(verdictOn({ validBefore, leftSince }, { onExpiry, drainTimeoutMs }, NOW, 10_000)).toBe(expected);
  });
});
