import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Nudge } from '../../../../../src/tunnels/ssh/packets/nudge.ts';

function start() {
  const state = { sent: 0, nudges: 0 };
  const send = () => {
    state.sent++;
    state.nudges++;
  };
  return { state, nudge: new Nudge({ sent: () => state.sent, send }) };
}

describe('the acknowledgement', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout'] }));
  afterEach(() => void vi.useRealTimers());

  it('leaves at the end of the turn after control messages alone, once', async () => {
    const { state, nudge } = start();
    nudge.arrived(0, false);
    nudge.arrived(0, false);
    expect(state.nudges).toBe(0);
    await turn();
    expect(state.nudges).toBe(1);
  });

  it('leaves a millisecond after data, once', () => {
    const { state, nudge } = start();
    nudge.arrived(0, true);
    nudge.arrived(0, true);
    expect(state.nudges).toBe(0);
    vi.advanceTimersByTime(1);
    expect(state.nudges).toBe(1);
    vi.advanceTimersByTime(1_000);
    expect(state.nudges).toBe(1);
  });

  it('stays away when a packet of ours leaves first', async () => {
    const { state, nudge } = start();
    nudge.arrived(0, false);
    nudge.arrived(0, true);
    state.sent++;
    await turn();
    vi.advanceTimersByTime(10);
    nudge.arrived(0, true);
    vi.advanceTimersByTime(10);
    expect(state.nudges).toBe(0);
  });

  it('acknowledges a later piece although a packet left after an earlier one', () => {
    const { state, nudge } = start();
    nudge.arrived(0, true);
    state.sent++;
    nudge.arrived(1, true);
    vi.advanceTimersByTime(1);
    expect(state.nudges).toBe(1);
  });
});
