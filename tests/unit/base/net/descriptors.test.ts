import { expect, it } from 'vitest';
import { descriptorCeiling } from '../../../../src/base/net/descriptors.ts';

it.each([
  ['64', 56],
  ['1024', 960],
  ['1048576', 1_048_512],
  ['unlimited', Number.POSITIVE_INFINITY],
])('with a limit of %s, reserves the descriptors from %d on', (limit, ceiling) => {
  const limits = `Limit                     Soft Limit           Hard Limit           Units
Max core file size        0                    unlimited            bytes
Max open files            ${limit.padEnd(20)} 1048576              files
`;
  expect(descriptorCeiling(limits)).toBe(ceiling);
});

it('reserves no descriptors without /proc', () => {
  expect(descriptorCeiling('')).toBe(Number.POSITIVE_INFINITY);
});
