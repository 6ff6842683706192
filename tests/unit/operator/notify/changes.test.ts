import { expect, test } from 'vitest';
import { Changes } from '../../../../src/operator/notify/changes.ts';
import { bodyOf } from '../../../../src/operator/notify/notice.ts';
import type { Advisory } from '../../../../src/telemetry/status/advisory.ts';
import type { Status, TunnelStateName } from '../../../../src/telemetry/status/status.ts';
import { statusFixture, tunnelFixture } from '../../../support/fakes/status-fixture.ts';

const snapshot = (state: TunnelStateName, advisories: readonly Advisory[] = []): Status =>
  statusFixture({
    tunnels: [tunnelFixture({ name: 'db', state, reason: state === 'up' ? null : 'the server refuses connections' })],
    advisories: [...advisories],
  });

/** Observes each [second, state] and returns what was told, as `second: text`. */
function toldBy(...moments: readonly (readonly [number, Status])[]): string[] {
  const changes = new Changes();
  return moments.flatMap(([second, status]) =>
    changes.observe(status, second * 1_000).map(({ text }) => `${second}: ${text}`),
  );
}

const DOWN = 'db is down: the server refuses connections';

test('tells a state once, when it has lasted ten seconds', () => {
  expect(toldBy([0, snapshot('up')], [1, snapshot('down')], [10, snapshot('down')], [11, snapshot('down')])).toEqual([
    `11: ${DOWN}`,
  ]);
  expect(toldBy([0, snapshot('down')], [10, snapshot('down')], [60, snapshot('down')])).toEqual([`10: ${DOWN}`]);
});

test('tells nothing for a flap', () => {
  const flapping = Array.from({ length: 60 }, (_, second) => [second, snapshot(second % 2 ? 'up' : 'down')] as const);
  expect(toldBy(...flapping)).toEqual([]);
  expect(toldBy([0, snapshot('up')], [5, snapshot('down')], [9, snapshot('up')], [60, snapshot('up')])).toEqual([]);
});

test('tells nothing for a tunnel that comes up after the start', () => {
  expect(toldBy([0, snapshot('down')], [2, snapshot('up')], [60, snapshot('up')])).toEqual([]);
});

test('tells the recovery of a tunnel that was told down', () => {
  expect(toldBy([0, snapshot('down')], [10, snapshot('down')], [20, snapshot('up')], [30, snapshot('up')])).toEqual([
    `10: ${DOWN}`,
    '30: db is up',
  ]);
});

test('tells an advisory once when it is raised and once when it is cleared', () => {
  const advisory = { code: 'static_key', message: 'atm-db uses a static key' } as const;
  const raised = snapshot('up', [advisory]);
  expect(
    toldBy([0, raised], [10, raised], [20, raised], [21, snapshot('up')], [31, snapshot('up')], [60, snapshot('up')]),
  ).toEqual(['10: atm-db uses a static key', '31: No longer: atm-db uses a static key']);
});

test('forgets a tunnel that left the configuration', () => {
  const none = statusFixture({ tunnels: [] });
  expect(toldBy([0, snapshot('down')], [10, snapshot('down')], [11, none], [60, none])).toEqual([`10: ${DOWN}`]);
});

test('fills a template, and lets no foreign text leave its string', () => {
  const notice = {
    schema: 1,
    event: 'tunnel.state',
    node: 'a',
    at: 'now',
    tunnel: null,
    state: 'down',
    code: null,
    text: 'said "}, {"\n\u202e',
  } as const;
  const body = bodyOf(notice, '{"text": "{node}: {text}{tunnel} {unknown}"}');
  expect(JSON.parse(body)).toEqual({ text: 'a: said "}, {"\n\u202e {unknown}' });
  expect(JSON.parse(bodyOf(notice, undefined))).toEqual(notice);
});

test('tells an advisory once although its message changes while the trouble lasts', () => {
  const after = (attempts: number) =>
    snapshot('up', [
      { code: 'session_replacement_failing', message: `${attempts} attempts failed`, subject: 'operator@core' },
    ]);
  const moments = Array.from({ length: 300 }, (_, second) => [second, after(second)] as const);
  expect(toldBy(...moments)).toEqual(['10: 10 attempts failed']);
});
