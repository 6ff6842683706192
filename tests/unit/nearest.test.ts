import { expect, test } from 'vitest';
import { nearest } from '../../src/nearest.ts';

const names = ['fleet-state-hub-coulombcore', 'fleet-issue-core-coulombcore', 'vault'];

test.each([
  ['fleet-state-hub-coulombcor', 'fleet-state-hub-coulombcore'],
  ['Fleet-Issue-Core-Coulombcore', 'fleet-issue-core-coulombcore'],
  ['valt', 'vault'],
  ['state-hub', 'fleet-state-hub-coulombcore'],
  ['coulombcore', undefined],
  ['something-else-entirely', undefined],
  ['', undefined],
])('%s was meant to be %s', (word, meant) => {
  expect(nearest(word, names)).toBe(meant);
});
