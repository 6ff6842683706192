import { expect, it } from 'vitest';
import { KnownHostsReport } from '../../../../src/tunnels/link/known-hosts-report.ts';

it('logs invalid lines once, again after a change, and sums them up when there are many', () => {
  const told: string[] = [];
  const report = new KnownHostsReport({ warn: (_, message) => told.push(message) });
  report.report('/k', []);
  report.report('/k', ['/k:1: bad']);
  report.report('/k', ['/k:1: bad']);
  expect(told.splice(0)).toEqual(['/k:1: bad; ignored']);
  report.report('/k', []);
  report.report('/k', ['/k:1: bad']);
  expect(told.splice(0)).toHaveLength(1);
  report.report(
    '/k',
    Array.from({ length: 25 }, (_, index) => `/k:${index}: bad`),
  );
  expect(told).toHaveLength(11);
  expect(told.at(-1)).toBe('/k: 15 more invalid lines; ignored');
});
