import { expect, test } from 'vitest';
import { LastHour } from '../../../../src/operator/page/last-hour.ts';
import { statusFixture, tunnelFixture } from '../../../support/fakes/status-fixture.ts';

const snapshot = (bytes: number, changes: Parameters<typeof tunnelFixture>[0] = {}) => {
  const { usage } = tunnelFixture();
  const tunnel = tunnelFixture({
    usage: { ...usage, bytes_to_target: bytes, bytes_from_target: 2 * bytes },
    ...changes,
  });
  return () => statusFixture({ tunnels: [tunnel] });
};

test('takes a sample every 15 s, with bytes per second', () => {
  const hour = new LastHour();
  hour.tick(snapshot(0), 0);
  hour.tick(snapshot(900), 14_999);
  hour.tick(snapshot(1_500), 15_000);
  expect(hour.of('state-hub')).toMatchObject({
    states: 'uu',
    open: [2, 2],
    to_target: [0, 100],
    from_target: [0, 200],
  });
});

test('keeps one hour', () => {
  const hour = new LastHour();
  for (let index = 0; index < 300; index++) hour.tick(snapshot(index), index * 15_000);
  expect(hour.of('state-hub')?.open).toHaveLength(240);
});

test('has a letter for each state, and no latency without a passing probe', () => {
  const hour = new LastHour();
  const states = ['up', 'degraded', 'down', 'unverified', 'draining', 'retired', 'stopped'] as const;
  states.forEach((state, index) => void hour.tick(snapshot(0, { state, probe: null }), index * 15_000));
  expect(hour.all().tunnels).toEqual([{ name: 'state-hub', states: 'ugdvwrs' }]);
  expect(new Set(hour.of('state-hub')?.probe_ms)).toEqual(new Set([null]));
});

test('has no negative traffic for a new tunnel of the same name, and forgets removed tunnels', () => {
  const hour = new LastHour();
  hour.tick(snapshot(10_000), 0);
  hour.tick(snapshot(0), 15_000);
  expect(hour.of('state-hub')?.to_target).toEqual([0, 0]);
  hour.tick(() => statusFixture({ tunnels: [] }), 30_000);
  expect([hour.of('state-hub'), hour.all().tunnels]).toEqual([undefined, []]);
});
