import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { parseConfig } from '../../../../src/config/load.ts';
import { AdvisoryLog } from '../../../../src/daemon/advisory-log.ts';
import { advisoriesOf } from '../../../../src/retirement/plan/advisories.ts';
import type { WatchedPlan } from '../../../../src/retirement/plan/watch.ts';
import { createLogger } from '../../../../src/telemetry/log/log.ts';
import type { Advisory } from '../../../../src/telemetry/status/advisory.ts';
import { realPlan } from '../../../support/fakes/plan-fixture.ts';

const REAL = fileURLToPath(new URL('../../../../config/railiance01-tunnels.yaml', import.meta.url));
const NOW = new Date('2026-11-21T12:00:00Z');
const { readFileSync } = await import('node:fs');
const config = parseConfig(readFileSync(REAL), REAL, { HOME: '/h' });

const watched = (changes: Partial<WatchedPlan> = {}): WatchedPlan => ({
  path: '/p',
  plan: realPlan(),
  loadedAt: NOW,
  lastLoad: { ok: true, at: NOW, error: null },
  ...changes,
});

it('reports only the live exceptions for the real node', () => {
  expect(advisoriesOf(config, watched(), NOW)).toEqual([
    {
      code: 'frozen_host',
      message:
        'production tunnel fleet-state-hub-coulombcore goes to coulombcore, frozen since 2026-07-03, under exception fleet-mesh-systemd-tunnels until waves 2 and 4 are complete',
    },
    expect.objectContaining({ code: 'frozen_host' }),
    {
      code: 'static_key',
      message:
        'automation atm-fleet-mesh uses a static key instead of a certificate, under exception static-id-ops-railiance01 until warden sign is available',
    },
  ]);
});

it('reports an expired exception, and the violation that it no longer covers', () => {
  const plan = realPlan();
  const exceptions = plan.exceptions.map((exception) => ({ ...exception, until: '2026-11-20' }));
  const advisories = advisoriesOf(config, watched({ plan: { ...plan, exceptions } }), NOW);
  expect(advisories.map(({ code }) => code)).toEqual([
    'frozen_host',
    'frozen_host',
    'static_key',
    'exception_expired',
    'exception_expired',
    'exception_expired',
  ]);
  expect(advisories[2]?.message).toBe(
    'automation atm-fleet-mesh uses a static key instead of a certificate, without a live exception in the plan (static-id-ops-railiance01 has expired: its date 2026-11-20 has passed)',
  );
});

it('reports an invalid plan, with and without a previous plan', () => {
  const lastLoad = { ok: false, at: NOW, error: 'plan.yaml:1:1: no' };
  expect(advisoriesOf(config, watched({ plan: undefined, lastLoad }), NOW)).toEqual([
    {
      code: 'plan_unusable',
      message: 'the plan is invalid, no plan is in force: plan.yaml:1:1: no',
      subject: 'plan',
    },
  ]);
  expect(advisoriesOf(config, watched({ lastLoad }), NOW)[0]?.message).toContain('the previous plan stays in force');
});

it('logs each advisory once when it appears and once when it clears', () => {
  const lines: string[] = [];
  const log = new AdvisoryLog(createLogger({ level: 'info', stream: { write: (line) => void lines.push(line) } }));
  const one: Advisory = { code: 'static_key', message: 'one' };
  const two: Advisory = { code: 'static_key', message: 'two' };
  for (const advisories of [[one], [one], [one, two], [two], []]) log.update(advisories);
  expect(lines.map((line) => JSON.parse(line)).map(({ level, event, msg }) => `${level} ${event} ${msg}`)).toEqual([
    'warn advisory.raised one',
    'warn advisory.raised two',
    'info advisory.cleared cleared: one',
    'info advisory.cleared cleared: two',
  ]);
});

it('logs a lasting trouble once although its message changes, and again each hour', () => {
  const lines: string[] = [];
  const log = new AdvisoryLog(createLogger({ level: 'info', stream: { write: (line) => void lines.push(line) } }));
  const trouble = (attempts: number): Advisory => ({
    code: 'session_replacement_failing',
    message: `${attempts} attempts failed`,
    subject: 'operator@core',
  });
  for (let minute = 0; minute <= 125; minute++) log.update([trouble(minute)], minute * 60_000);
  log.update([], 126 * 60_000);
  expect(lines.map((line) => JSON.parse(line)).map(({ level, msg }) => `${level} ${msg}`)).toEqual([
    'warn 0 attempts failed',
    'warn 60 attempts failed',
    'warn 120 attempts failed',
    'info cleared: 125 attempts failed',
  ]);
});

it('logs one advisory while the number of tunnels changes, or the mistake in the plan', () => {
  const lines: string[] = [];
  const log = new AdvisoryLog(createLogger({ level: 'info', stream: { write: (line) => void lines.push(line) } }));
  const [first] = config.tunnels.values();
  if (first === undefined) throw new Error('the file has no tunnel');
  const withTunnels = (count: number) => ({
    ...config,
    tunnels: new Map(Array.from({ length: count }, (_, index) => [`t${index}`, { ...first, name: `t${index}` }])),
  });
  const broken = (error: string) => watched({ plan: undefined, lastLoad: { ok: false, at: NOW, error } });
  for (const [count, plan] of [
    [5, undefined],
    [6, broken('one mistake')],
    [7, broken('another mistake')],
    [8, broken('a third mistake')],
    [5, undefined],
  ] as const) {
    const policy = advisoriesOf(withTunnels(count), plan, NOW);
    log.update(policy.filter(({ code }) => code === 'wireguard_threshold' || code === 'plan_unusable'));
  }
  expect(lines.map((line) => JSON.parse(line)).map(({ level, msg }) => `${level} ${msg}`)).toEqual([
    'warn the plan is invalid, no plan is in force: one mistake',
    'warn this node has 6 persistent tunnels, more than 5; evaluate WireGuard',
    'info cleared: the plan is invalid, no plan is in force: a third mistake',
    'info cleared: this node has 8 persistent tunnels, more than 5; evaluate WireGuard',
  ]);
});
