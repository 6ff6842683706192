import fc from 'fast-check';
import { Histogram as Reference, Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { Histogram } from '../../../../src/telemetry/metrics/histogram.ts';

const OPTIONS = { name: 'p_some_seconds', help: 'Some time.' };
const BOUNDS = [0.001, 0.25, 1, 3_600];

const tunnel = fc.oneof(fc.constantFrom('a', 'b'), fc.string({ unit: fc.constantFrom('"', '\\', '\n', 'x') }));
const seconds = fc.oneof(fc.constantFrom(...BOUNDS), fc.double({ min: 0, max: 10_000, noNaN: true }));

test('writes the observations as prom-client does', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.record({ tunnel, seconds }), { maxLength: 8 }), async (observations) => {
      const registry = new Registry();
      const settings = { ...OPTIONS, buckets: BOUNDS, labelNames: ['tunnel'], registers: [registry] };
      const reference = new Reference(settings);
      const subject = new Histogram({ ...OPTIONS, bounds: BOUNDS });
      for (const observation of observations) {
        reference.observe({ tunnel: observation.tunnel }, observation.seconds);
        subject.observe({ tunnel: observation.tunnel }, observation.seconds);
      }
      expect(subject.text()).toBe((await registry.metrics()).trimEnd());
    }),
    { numRuns: 30 },
  );
});

test('has a series of zeros once the series is wanted, and none after its removal', async () => {
  const registry = new Registry();
  new Reference({ ...OPTIONS, buckets: BOUNDS, registers: [registry] });
  const subject = new Histogram({ ...OPTIONS, bounds: BOUNDS });
  const head = '# HELP p_some_seconds Some time.\n# TYPE p_some_seconds histogram';
  expect(subject.text()).toBe(head);
  subject.touch({});
  expect(subject.text()).toBe((await registry.metrics()).trimEnd());
  subject.remove({});
  expect(subject.text()).toBe(head);
});
