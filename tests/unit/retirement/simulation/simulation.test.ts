import { describe, expect, it } from 'vitest';
import { PLANTED, type Planted } from '../../../support/simulation/planted.ts';
import { describeBroken } from '../../../support/simulation/report.ts';
import { shrink } from '../../../support/simulation/shrink.ts';
import { type Run, simulate } from '../../../support/simulation/simulate.ts';

/** The first broken run from the seed 1 on. */
async function firstBroken(runs: number, planted: Planted): Promise<{ seed: number; run: Run }> {
  for (let seed = 1; seed <= runs; seed++) {
    const run = await simulate({ seed, bug: PLANTED[planted] });
    if (run.broken) return { seed, run };
  }
  throw new Error(`no broken promise in ${runs} runs`);
}

describe('the simulator of the drain side', () => {
  it('repeats a run to the last line of its trace, whatever ran before', async () => {
    const first = await simulate({ seed: 7 });
    await simulate({ seed: 8 });
    const second = await simulate({ seed: 7 });
    expect(first.trace.length).toBeGreaterThan(10);
    expect(second).toEqual(first);
    expect((await simulate({ seed: 9 })).trace).not.toEqual(first.trace);
  });

  it.each<[Planted, number, number, RegExp]>([
    ['gap', 100, 3, /never retirable unless it is so: the daemon did not run for the quiet period/],
    ['port', 100, 3, /never retirable unless it is so: the port was closed in the quiet period/],
    ['use', 100, 3, /never retirable unless it is so: a client used the tunnel in the quiet period/],
  ])('finds the planted bug "%s" within %i runs, and shows at most %i steps', async (planted, runs, steps, message) => {
    const { seed, run } = await firstBroken(runs, planted);
    const shrunk = await shrink({ seed, bug: PLANTED[planted] }, run);
    expect(shrunk.broken?.message).toMatch(message);
    expect(shrunk.steps.length).toBeLessThanOrEqual(steps);
    expect(shrunk.steps.length).toBeLessThan(run.steps.length);
    const report = describeBroken(seed, run, shrunk);
    expect(report).toMatch(message);
    expect(report).toContain(`--seed ${seed} --trace`);
    expect(report.split('\n').length).toBeLessThan(90);
  });

  it.each<[Planted, RegExp]>([
    ['clock', /^never retirable unless it is so/],
    ['lock', /^a second daemon is refused and changes nothing/],
    ['sync', /./],
    ['turns', /./],
    ['early', /^never retired unless it is so/],
    ['disk', /^never retirable unless it is so: nothing can be written/],
    ['tampering', /^never retirable unless it is so: somebody changed the log/],
    ['plan', /^never retirable unless it is so: the plan does not allow it/],
    ['successor', /^never retirable unless it is so: the successor was not healthy/],
    ['door', /^(all doors agree|never retirable unless it is so)/],
  ])('finds the planted bug "%s" within 100 runs', async (planted, message) => {
    expect((await firstBroken(100, planted)).run.broken?.message).toMatch(message);
  });

  it.each([
    // A head that was not written in ten seconds passed for a disk that works again.
    600_037,
    // Two swaps of the same lines left the log as it was, and the model called that proof of a change.
    702_255,
    // A command under way when the disk healed, or when somebody removed its file, passed for confirmed.
    1_004_314, 1_007_221,
    // A daemon that stood still had not yet put back a file that somebody had removed, and the model wanted it at once.
    20_000_679,
    // The model wanted to read the log while the daemon wrote its head, and let no time pass.
    50_009_460,
    // A write that had hung was done at last, and passed for a disk that works, while later events still waited.
    700_012_499,
    // A command was answered before its evidence was written, and kill -9 came in between.
    700_013_279,
  ])('holds every promise with the seed %i, which once broke one', async (seed) => {
    expect((await simulate({ seed })).broken).toBeUndefined();
  });

  it('gives the process its clocks and files back', async () => {
    const before = [Date, setTimeout, performance.now, process.hrtime.bigint];
    await simulate({ seed: 3, steps: [] });
    expect([Date, setTimeout, performance.now, process.hrtime.bigint]).toEqual(before);
    const { readFile } = await import('node:fs/promises');
    // The words of the system, whether or not the machine has such a directory.
    await expect(readFile('/sim/state/events.jsonl')).rejects.toThrow(/ENOENT: no such file|EACCES: permission denied/);
  });
});
