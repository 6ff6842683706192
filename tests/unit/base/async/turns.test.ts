import { describe, expect, it } from 'vitest';
import { Turns } from '../../../../src/base/async/turns.ts';

describe(Turns, () => {
  it('runs tasks one after the other, also after a failed task', async () => {
    const turns = new Turns();
    const steps: string[] = [];
    const task = (name: string, error?: Error) => async () => {
      steps.push(`${name} begins`);
      await Promise.resolve();
      steps.push(`${name} ends`);
      if (error) throw error;
      return name;
    };
    const [first, second, third] = [
      turns.take(task('a')),
      turns.take(task('b', new Error('no'))),
      turns.take(task('c')),
    ];
    await expect(second).rejects.toThrow('no');
    expect([await first, await third]).toEqual(['a', 'c']);
    expect(steps).toEqual(['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends']);
    await turns.over;
  });
});
