import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { closest, editDistance } from '../../../../src/base/text/closest.ts';

describe(closest, () => {
  it.each([
    ['adress', ['address', 'port'], 'address'],
    ['prot', ['port', 'role'], 'port'],
    ['colombcore', ['railiance01', 'coulombcore'], 'coulombcore'],
    ['Local', ['local', 'remote'], 'local'],
    ['banana', ['local', 'remote'], undefined],
    ['x', ['y'], undefined],
    ['', ['a'], undefined],
  ])('suggests for %j among %j: %j', (text, candidates, expected) => {
    expect(closest(text, candidates)).toBe(expected);
  });
});

describe(editDistance, () => {
  it('counts swapped neighbours as one mistake', () => {
    expect(editDistance('prot', 'port')).toBe(1);
  });

  it('is a symmetric distance', () => {
    const word = fc.string({ maxLength: 12 });
    fc.assert(
      fc.property(word, word, (a, b) => {
        expect(editDistance(a, b)).toBe(editDistance(b, a));
        expect(editDistance(a, b) === 0).toBe(a === b);
        expect(editDistance(a, b)).toBeLessThanOrEqual(Math.max(a.length, b.length));
      }),
    );
  });
});
