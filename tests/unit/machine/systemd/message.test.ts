import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canMerge, notifyLines } from '../../../../src/machine/systemd/message.ts';

/** Among plain ones, what ends lines, strings or UTF-16 sequences early, and what is long in UTF-8. */
const NASTY = fc.constantFrom('a', '=', ' ', '\n', '\r', '\0', '\u2028', '\u0085', '\u{1f517}', '\ud83d', '\u4e2d');

describe('messages to systemd', () => {
  it('writes one line for each assignment, whatever the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: NASTY, maxLength: 800 }), (text) => {
        const lines = notifyLines({ STATUS: text, READY: 1 });
        expect(lines).toHaveLength(2);
        expect(lines[0]).toMatch(/^STATUS=[^\n\r\0]*$/);
        expect(Buffer.byteLength(lines.join('\n'))).toBeLessThan(4_096);
      }),
      { numRuns: 50 },
    );
  });

  it('prevents a second assignment in a value', () => {
    expect(notifyLines({ STATUS: 'up\nMAINPID=1' })).toEqual(['STATUS=up MAINPID=1']);
  });

  it.each([
    [{ STATUS: 'a' }, { STATUS: 'b' }, true],
    [{ WATCHDOG: 1 }, { STATUS: 'b' }, true],
    [{ READY: 1 }, { STATUS: 'b' }, false],
    [{ STATUS: 'a' }, { RELOADING: 1, MONOTONIC_USEC: 5n }, false],
  ] as const)('merges %o and %o: %s', (earlier, later, merged) => {
    expect(canMerge(earlier, later)).toBe(merged);
  });
});
