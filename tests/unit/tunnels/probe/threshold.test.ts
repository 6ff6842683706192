import fc from 'fast-check';
import { expect, test } from 'vitest';
import { observe, PENDING, type Thresholds, type Verdict } from '../../../../src/tunnels/probe/threshold.ts';

/** `+` is a success, `-` a failure. */
const after = (results: string, thresholds: Thresholds): Verdict =>
  [...results].reduce((verdict, result) => observe(verdict, result === '+', thresholds), PENDING);

test.each([
  ['', 'pending'],
  ['+', 'passing'],
  ['-', 'pending'],
  ['--', 'pending'],
  ['---', 'failing'],
  ['--+', 'passing'],
  ['+--', 'passing'],
  ['+---', 'failing'],
  ['+--+--', 'passing'],
  ['---+', 'failing'],
  ['---++', 'passing'],
  ['---+-+', 'failing'],
  ['---+-++', 'passing'],
])('with fall 3 and rise 2, %s is %s', (results, state) => {
  expect(after(results, { fall: 3, rise: 2 }).state).toBe(state);
});

test('counts consecutive failures beyond fall, until a success', () => {
  expect(after('-----', { fall: 3, rise: 2 }).consecutiveFailures).toBe(5);
  expect(after('-----+', { fall: 3, rise: 2 }).consecutiveFailures).toBe(0);
});

const anyResults = fc.array(fc.constantFrom('+', '-')).map((list) => list.join(''));
const anyThresholds = fc.record({ fall: fc.integer({ min: 1, max: 5 }), rise: fc.integer({ min: 1, max: 5 }) });

test('derives the state from the runs of equal results', () => {
  fc.assert(
    fc.property(anyResults, anyThresholds, (results, thresholds) => {
      const { state } = after(results, thresholds);
      if (results.endsWith('-'.repeat(thresholds.fall))) expect(state).toBe('failing');
      if (results.endsWith('+'.repeat(thresholds.rise))) expect(state).toBe('passing');
      if (!results.includes('-'.repeat(thresholds.fall)))
        expect(state).toBe(results.includes('+') ? 'passing' : 'pending');
    }),
  );
});

test('changes no settled verdict after a single result when fall and rise are above one', () => {
  fc.assert(
    fc.property(anyResults, fc.constantFrom('+', '-'), (results, last) => {
      const thresholds = { fall: 2, rise: 2 };
      const before = after(results, thresholds);
      const then = after(results + last, thresholds);
      const settledLongEnough = before.consecutiveFailures !== 1 && before.consecutiveSuccesses !== 1;
      if (before.state !== 'pending' && settledLongEnough) expect(then.state).toBe(before.state);
    }),
  );
});
