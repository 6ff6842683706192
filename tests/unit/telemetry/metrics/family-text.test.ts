import fc from 'fast-check';
import { Counter, Gauge, Registry } from 'prom-client';
import { expect, test } from 'vitest';
import type { Family, Sample, TunnelFamily } from '../../../../src/telemetry/metrics/families.ts';
import { familyText, pageRows, tunnelFamilyText } from '../../../../src/telemetry/metrics/family-text.ts';
import { tunnelFixture } from '../../../support/fakes/status-fixture.ts';

/** The text of a registry that has only these series. */
async function asPromClient(type: 'gauge' | 'counter', samples: readonly Sample[]): Promise<string> {
  const registry = new Registry();
  const settings = { name: 'p_some', help: 'Some \\ help.', labelNames: ['tunnel', 'state'], registers: [registry] };
  const gauge = type === 'gauge' ? new Gauge(settings) : undefined;
  const counter = type === 'counter' ? new Counter(settings) : undefined;
  for (const { labels, value } of samples) {
    gauge?.set(labels, value);
    counter?.inc(labels, value);
  }
  return (await registry.metrics()).trimEnd();
}

const label = fc.oneof(fc.constantFrom('a', 'b'), fc.string({ unit: fc.constantFrom('"', '\\', '\n', 'x', ' ') }));
const labels = fc.record({ tunnel: label, state: label });
const value = fc.oneof(fc.nat(), fc.double({ min: 0, max: 1e12, noNaN: true }));

test('writes the samples of a family as prom-client does, also the same series twice', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('gauge', 'counter'),
      fc.array(fc.record({ labels, value }), { minLength: 1, maxLength: 8 }),
      async (type, samples) => {
        const family: Family = {
          name: 'some',
          help: 'Some \\ help.',
          type,
          labels: ['tunnel', 'state'],
          samples: () => samples,
        };
        expect(familyText('p_', family, samples)).toBe(await asPromClient(type, samples));
      },
    ),
  );
});

test('writes the series of tunnels as prom-client does', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('gauge', 'counter'),
      fc.uniqueArray(label, { minLength: 1, maxLength: 4 }),
      value,
      async (type, names, first) => {
        const states = ['up', 'down'];
        const family: TunnelFamily = {
          name: 'some',
          help: 'Some \\ help.',
          type,
          labels: ['tunnel', 'state'],
          series: (_, put) => states.forEach((state, index) => void put(first + index, `,state="${state}"`)),
        };
        const samples = names.flatMap((tunnel) =>
          states.map((state, index) => ({ labels: { tunnel, state }, value: first + index })),
        );
        const rows = pageRows(names.map((name) => tunnelFixture({ name })));
        expect(tunnelFamilyText('p_', family, rows)).toBe(await asPromClient(type, samples));
      },
    ),
  );
});

test('writes a series without labels without braces, and no series for a family without samples', () => {
  const family: Family = { name: 'some', help: 'Some.', type: 'gauge', labels: [], samples: () => [] };
  const head = '# HELP p_some Some.\n# TYPE p_some gauge';
  expect(familyText('p_', family, [{ labels: {}, value: 1.5 }])).toBe(`${head}\np_some 1.5`);
  expect(familyText('p_', family, [])).toBe(head);
});
