import { describe, expect, it } from 'vitest';
import { unknownNames } from '../../../../src/base/text/unknown-name.ts';

describe(unknownNames, () => {
  it('suggests the most similar known name', () => {
    expect(unknownNames('tunnel', ['bd'], ['db', 'atm'])).toEqual({
      sentence: 'no tunnel is named "bd"',
      guess: 'Did you mean db? ',
    });
  });

  it('lists several unknown names, and suggests only similar known names', () => {
    expect(unknownNames('actor', ['far-away', 'atn'], ['db', 'atm'])).toEqual({
      sentence: 'no actor is named "far-away" or "atn"',
      guess: 'Did you mean atm? ',
    });
  });

  it('suggests nothing if nothing is configured', () => {
    expect(unknownNames('tunnel', ['db'], []).guess).toBe('');
  });

  it('prints no control characters of a name', () => {
    expect(unknownNames('tunnel', ['\u001b[31mdb'], []).sentence).not.toContain('\u001b');
  });
});
