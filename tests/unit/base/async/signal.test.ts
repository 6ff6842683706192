import { describe, expect, it } from 'vitest';
import { LightSignal, type Signal } from '../../../../src/base/async/signal.ts';

/** Both kinds, since waits take either. */
const KINDS: readonly (readonly [string, () => { signal: Signal; abort(reason: unknown): void }])[] = [
  [
    'AbortSignal',
    () => {
      const controller = new AbortController();
      return { signal: controller.signal, abort: (reason) => controller.abort(reason) };
    },
  ],
  [
    'LightSignal',
    () => {
      const signal = new LightSignal();
      return { signal, abort: (reason) => signal.abort(reason) };
    },
  ],
];

describe.each(KINDS)('%s', (_, create) => {
  it('tells each listener once, with the first reason, and none that another listener has removed', () => {
    const { signal, abort } = create();
    const told: string[] = [];
    const third = () => told.push('third');
    signal.addEventListener('abort', () => told.push(`first: ${signal.reason}`), { once: true });
    signal.addEventListener('abort', () => signal.removeEventListener('abort', third), { once: true });
    signal.addEventListener('abort', third, { once: true });
    expect([signal.aborted, signal.reason]).toEqual([false, undefined]);
    signal.throwIfAborted();
    abort('over');
    abort('again');
    signal.addEventListener('abort', () => told.push('late'), { once: true });
    expect([told, signal.aborted, signal.reason]).toEqual([['first: over'], true, 'over']);
    expect(() => signal.throwIfAborted()).toThrow('over');
  });
});
