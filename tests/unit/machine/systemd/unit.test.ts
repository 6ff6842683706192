import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Assignments } from '../../../../src/machine/systemd/message.ts';
import { Notifier } from '../../../../src/machine/systemd/notifier.ts';
import { Unit } from '../../../../src/machine/systemd/unit.ts';
import { recordingLogger } from '../../../support/fakes/fake-link.ts';

let sent: Assignments[];
let line: string;
let event: number;
let stuck: string[];
let unit: Unit;

beforeEach(() => {
  vi.useFakeTimers();
  sent = [];
  line = '1/1 up';
  event = 1;
  stuck = [];
  const channel = {
    via: 'sd-notify',
    send: (each: Assignments) => void sent.push(each),
    flush: async () => {},
  } as const;
  unit = new Unit(
    { watchdogMs: 6_000 },
    {
      notifier: new Notifier(channel),
      log: recordingLogger([]),
      statusLine: () => line,
      lastEvent: () => event,
      vitals: () => ({ heartbeatAgeMs: 0, stuck }),
    },
  );
});
afterEach(async () => {
  await unit.stopped();
  vi.useRealTimers();
});

const pets = () => sent.filter(({ WATCHDOG }) => WATCHDOG === 1).length;

describe('notifications of the unit', () => {
  it('sends the state and READY at the start, and later only changes', async () => {
    unit.started();
    expect(sent).toEqual([{ STATUS: '1/1 up' }, { READY: 1 }]);
    await vi.advanceTimersByTimeAsync(1_500);
    line = '0/1 up';
    event++;
    await vi.advanceTimersByTimeAsync(1_000);
    const lines = () => sent.flatMap(({ STATUS }) => STATUS ?? []);
    expect(lines()).toEqual(['1/1 up', '0/1 up']);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(lines()).toEqual(['1/1 up', '0/1 up']);
    // What changes without an event, as the minutes until a renewal do.
    line = '0/1 up, cert renewal is due';
    await vi.advanceTimersByTimeAsync(5_000);
    expect(lines()).toEqual(['1/1 up', '0/1 up', line]);
  });

  it('sends three watchdog messages within the limit, and none during a hang', async () => {
    unit.started();
    await vi.advanceTimersByTimeAsync(6_000);
    expect(pets()).toBe(3);
    stuck = ['the probe of tunnel hub hangs: its timeout passed 31 s ago'];
    await vi.advanceTimersByTimeAsync(6_000);
    expect(pets()).toBe(3);
    stuck = [];
    await vi.advanceTimersByTimeAsync(2_000);
    expect(pets()).toBe(4);
  });

  it('starts a reload with the time and ends with READY, also after a failure', async () => {
    const failing = unit.reloading(() => Promise.reject(new Error('broken')));
    await expect(failing).rejects.toThrow('broken');
    expect(sent.map((each) => Object.keys(each))).toEqual([['RELOADING', 'MONOTONIC_USEC'], ['STATUS'], ['READY']]);
  });

  it('extends the stop while connections may finish, and not longer', async () => {
    unit.started();
    sent = [];
    unit.stopping(12_000);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(sent).toEqual([{ STOPPING: 1 }, ...[0, 1, 2].map(() => ({ EXTEND_TIMEOUT_USEC: 15_000_000 }))]);
  });
});
