import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Assignments } from '../../../../src/machine/systemd/message.ts';
import { Notifier } from '../../../../src/machine/systemd/notifier.ts';
import { Unit } from '../../../../src/machine/systemd/unit.ts';
import { recordingLogger } from '../../../support/fakes/fake-link.ts';

let sent: Assignments[];
let line: string;
let stuck: string[];
let unit: Unit;

beforeEach(() => {
  vi.useFakeTimers();
  sent = [];
  line = '1/1 up';
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
      vitals: () => ({ heartbeatAgeMs: 0, stuck }),
    },
  );
});
afterEach(async () => {
  await unit.stopped();
  vi.useRealTimers();
});

const pets = () => sent.filter(({ WATCHDOG }) => WATCHDOG === 1).length;

describe('what the unit is told', () => {
  it('how it is, that it is ready, and later only what has changed', async () => {
    unit.started();
    expect(sent).toEqual([{ STATUS: '1/1 up' }, { READY: 1 }]);
    await vi.advanceTimersByTimeAsync(1_500);
    line = '0/1 up';
    await vi.advanceTimersByTimeAsync(3_000);
    expect(sent.filter(({ STATUS }) => STATUS !== undefined)).toEqual([{ STATUS: '1/1 up' }, { STATUS: '0/1 up' }]);
  });

  it('feeds the watchdog three times within its limit, and not while something has hung', async () => {
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

  it('a reload begins with the time and ends ready, also when it fails', async () => {
    const failing = unit.reloading(() => Promise.reject(new Error('broken')));
    await expect(failing).rejects.toThrow('broken');
    expect(sent.map((each) => Object.keys(each))).toEqual([['RELOADING', 'MONOTONIC_USEC'], ['STATUS'], ['READY']]);
  });

  it('asks for time while connections may finish, and for none beyond', async () => {
    unit.started();
    sent = [];
    unit.stopping(12_000);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(sent).toEqual([{ STOPPING: 1 }, ...[0, 1, 2].map(() => ({ EXTEND_TIMEOUT_USEC: 15_000_000 }))]);
  });
});
