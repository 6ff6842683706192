import { describe, expect, it } from 'vitest';
import { carryOut } from '../../../../src/machine/install/carry-out.ts';
import { type Executor, StepFailed } from '../../../../src/machine/install/execute.ts';
import type { InstallPlan } from '../../../../src/machine/install/plan.ts';
import type { Step } from '../../../../src/machine/install/step.ts';

const step = (name: string): Step => ({ kind: 'command', argv: [name] });
const PLAN = {
  files: [step('f1'), step('f2')],
  doctor: [step('d')],
  switch: [step('s1'), step('s2')],
  tidy: [step('t')],
  notes: [],
} as unknown as InstallPlan;
const BACK = { stop: [step('b-stop')], files: [step('b-files')], start: [step('b-start')] };

async function carry(failing: readonly string[], interruptAt?: string) {
  const done: string[] = [];
  const interrupted = new AbortController();
  const executor: Executor = {
    async execute(each) {
      const name = each.kind === 'command' ? each.argv[0] : '';
      done.push(name);
      if (name === interruptAt) interrupted.abort();
      if (failing.includes(name)) throw new StepFailed(`${name} broke`);
    },
  };
  return { done, carried: await carryOut(PLAN, BACK, executor, () => {}, interrupted.signal) };
}

describe(carryOut, () => {
  it.each<[string[], string | undefined, string[], boolean]>([
    [[], undefined, ['f1', 'f2', 'd', 's1', 's2', 't'], true],
    [['f1'], undefined, ['f1', 'b-files'], false],
    [['d'], undefined, ['f1', 'f2', 'd', 'b-files'], false],
    [['s1'], undefined, ['f1', 'f2', 'd', 's1', 'b-stop', 'b-files', 'b-start'], false],
    [['t'], undefined, ['f1', 'f2', 'd', 's1', 's2', 't'], true],
    [[], 'f1', ['f1', 'b-files'], false],
    [[], 's1', ['f1', 'f2', 'd', 's1', 'b-stop', 'b-files', 'b-start'], false],
  ])('undoes the steps after the failures %j or an interrupt at %s', async (failing, interruptAt, expected, ok) => {
    const { done, carried } = await carry(failing, interruptAt);
    expect(done).toEqual(expected);
    expect(carried.ok).toBe(ok);
  });

  it('undoes every step, and reports the steps that cannot be undone', async () => {
    const { done, carried } = await carry(['s2', 'b-stop']);
    expect(done.slice(-3)).toEqual(['b-stop', 'b-files', 'b-start']);
    expect(carried).toEqual({ ok: false, why: 's2 broke', left: ['b-stop broke'] });
  });
});
