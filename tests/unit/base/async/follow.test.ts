import { getEventListeners } from 'node:events';
import { describe, expect, it, vi } from 'vitest';
import { follow, onceAborted } from '../../../../src/base/async/follow.ts';

const listenersOf = (signal: AbortSignal) => getEventListeners(signal, 'abort').length;

describe('follow', () => {
  it('aborts with the reason of its parent', () => {
    const parent = new AbortController();
    const life = follow(parent.signal);
    parent.abort(new Error('the daemon stops'));
    expect(life.signal.reason).toEqual(new Error('the daemon stops'));
  });

  it('starts aborted if its parent has aborted', () => {
    expect(follow(AbortSignal.abort('early')).signal.reason).toBe('early');
  });

  it('ends before its parent and leaves no listener on the parent', () => {
    const parent = new AbortController();
    const life = follow(parent.signal);
    expect(listenersOf(parent.signal)).toBe(1);
    life.end('enough');
    expect(life.signal.reason).toBe('enough');
    expect(parent.signal.aborted).toBe(false);
    expect(listenersOf(parent.signal)).toBe(0);
  });

  it('keeps its first reason', () => {
    const life = follow(undefined);
    life.end('first');
    life.end('second');
    expect(life.signal.reason).toBe('first');
  });
});

describe('onceAborted', () => {
  it('reacts at once if the signal has aborted', () => {
    const react = vi.fn();
    onceAborted(AbortSignal.abort('gone'), react);
    expect(react.mock.calls).toEqual([['gone']]);
  });

  it('does not react after the watch has ended', () => {
    const react = vi.fn();
    const controller = new AbortController();
    onceAborted(controller.signal, react)();
    controller.abort();
    expect(react).not.toHaveBeenCalled();
    expect(listenersOf(controller.signal)).toBe(0);
  });
});
