import { describe, expect, it } from 'vitest';
import { Crowd } from '../../../../src/base/async/crowd.ts';

const member = (name: string) => ({ name, place: -1 });

describe(Crowd, () => {
  it('knows its members, whoever leaves', () => {
    const crowd = new Crowd<ReturnType<typeof member>>();
    const [a, b, c] = [member('a'), member('b'), member('c')];
    for (const each of [a, b, c]) crowd.add(each);
    crowd.add(b);
    expect(crowd.size).toBe(3);
    expect([crowd.remove(a), crowd.remove(a), crowd.remove(member('d'))]).toEqual([true, false, false]);
    expect([...crowd].map(({ name }) => name).toSorted()).toEqual(['b', 'c']);
    expect([crowd.remove(c), crowd.remove(b), crowd.size]).toEqual([true, true, 0]);
    crowd.add(a);
    expect([...crowd]).toEqual([a]);
  });

  it('shows everyone who was there at the start to a loop that removes them', () => {
    const crowd = new Crowd<ReturnType<typeof member>>();
    const members = ['a', 'b', 'c', 'd'].map(member);
    for (const each of members) crowd.add(each);
    const seen: string[] = [];
    for (const each of crowd) {
      seen.push(each.name);
      crowd.remove(each);
    }
    expect([seen, crowd.size]).toEqual([['a', 'b', 'c', 'd'], 0]);
  });
});
