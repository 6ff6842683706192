import fc from 'fast-check';
import { expect, it } from 'vitest';
import { wrapped } from '../../../../src/operator/text/wrap.ts';

it.each([
  ['one two three', 9, ['one two', 'three']],
  ['  goal: one two three', 13, ['  goal: one', '  two three']],
  ['  [ ] 1.1  one two three', 18, ['  [ ] 1.1  one two', '           three']],
  ['NEXT  one two three', 13, ['NEXT  one two', '      three']],
  ['one', 1, ['one']],
  ['  one two', 2, ['  one', '  two']],
  ['\x1b[31mone\x1b[0m two', 7, ['\x1b[31mone\x1b[0m two']],
  ['one two three', undefined, ['one two three']],
])('wraps %j in %s columns', (line, width, expected) => expect(wrapped(line, width)).toEqual(expected));

it('keeps all words, and exceeds the width only for a single long word', () => {
  fc.assert(
    fc.property(fc.array(fc.stringMatching(/^[a-z]{1,12}$/), { minLength: 1 }), fc.nat({ max: 30 }), (words, width) => {
      const lines = wrapped(words.join(' '), width);
      expect(lines.flatMap((line) => line.split(' '))).toEqual(words);
      for (const line of lines) if (line.includes(' ')) expect(line.length).toBeLessThanOrEqual(width);
    }),
  );
});
