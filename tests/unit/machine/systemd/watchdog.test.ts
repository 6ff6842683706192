import { describe, expect, it } from 'vitest';
import { watchdogLimitMs, watchdogVerdict } from '../../../../src/machine/systemd/watchdog.ts';

describe('the watchdog', () => {
  it.each([
    ['all is well', 900, [], 30_000, true],
    ['a busy machine', 9_000, [], 30_000, true],
    ['a supervisor that hangs', 11_000, [], 30_000, false],
    ['a slow supervisor under a short limit', 6_000, [], 10_000, false],
    ['two rounds under a very short limit', 1_900, [], 1_000, true],
    ['a probe that never ends', 500, ['the probe of tunnel hub hangs: its timeout passed 31 s ago'], 30_000, false],
  ])('judges the watchdog message: %s', (_what, heartbeatAgeMs, stuck, limitMs, pet) => {
    const verdict = watchdogVerdict({ heartbeatAgeMs, stuck }, limitMs);
    expect(verdict.pet).toBe(pet);
    if (!verdict.pet) expect(verdict.reason).toMatch(/supervisor|probe/);
  });

  it.each([
    [{}, undefined],
    [{ WATCHDOG_USEC: '30000000' }, 30_000],
    [{ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '7' }, 30_000],
    [{ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '8' }, undefined],
    [{ WATCHDOG_USEC: '0' }, undefined],
    [{ WATCHDOG_USEC: 'soon' }, undefined],
  ])('reads from %o for process 7 the limit %s', (env, limitMs) => {
    expect(watchdogLimitMs(env, 7)).toBe(limitMs);
  });
});
