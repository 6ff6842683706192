import { afterEach, beforeEach, expect, it } from 'vitest';
import { sinceBootMs } from '../../../../src/base/this-machine.ts';
import type { ProbeConfig, SuccessorConfig } from '../../../../src/config/config.ts';
import { Successors } from '../../../../src/retirement/drain/successors.ts';
import {
  type SuccessorHistory,
  successorRecord,
  withRecord,
} from '../../../../src/retirement/evidence/successor-record.ts';
import type { Happening } from '../../../../src/telemetry/happening.ts';
import { DirectSource } from '../../../../src/tunnels/forward/direct-source.ts';
import { freePort } from '../../../support/peers/loopback.ts';
import { startEcho } from '../../../support/peers/targets.ts';
import { waitUntil } from '../../../support/wait-until.ts';

const PROBE: ProbeConfig = { check: { kind: 'tcp' }, everyMs: 20, timeoutMs: 2_000, fall: 3, rise: 2 };
const HOUR = 3_600_000;

let port: number;
let notes: Happening[];
const running: Successors[] = [];
beforeEach(async () => {
  port = await freePort();
  notes = [];
});
afterEach(() => {
  for (const each of running.splice(0)) each.stop();
});

const successor = (changes: Partial<SuccessorConfig> = {}): SuccessorConfig => ({
  target: { kind: 'tcp', host: '127.0.0.1', port },
  probe: PROBE,
  healthyForMs: HOUR,
  compare: [],
  holdMs: 1_000,
  verifyForMs: 1_000,
  ...changes,
});
const tunnels = (config: SuccessorConfig) =>
  new Map([['hub', { name: 'hub', drain: { step: '1', quietForMs: HOUR, rollback: undefined, successor: config } }]]);
function start(config = successor()): Successors {
  const note = (happening: Happening) => void notes.push(happening);
  const successors = new Successors({ source: new DirectSource('probe'), note, random: () => 0.5 });
  running.push(successors);
  successors.apply(tunnels(config));
  return successors;
}
/** The successor in the evidence so far. */
const history = () =>
  notes.map((note) => successorRecord.parse(note)).reduce<SuccessorHistory | undefined>(withRecord, undefined);
const facts = (successors: Successors) => successors.factsOf('hub', history());
const isHealthy = (successors: Successors) =>
  waitUntil('the successor is healthy', () => facts(successors)?.healthySince !== undefined || undefined);

it('counts a successor as healthy from the first passed check to the first failed one, and records both', async () => {
  const successors = start();
  await waitUntil('the first check failed', () => facts(successors)?.lastError);
  expect(facts(successors)).toMatchObject({ target: `127.0.0.1:${port}`, healthySince: undefined });
  const echo = await startEcho(port);
  await isHealthy(successors);
  const since = facts(successors)?.healthySince;
  await waitUntil('more checks ran', () => Date.now() > (since ?? 0) + 100 || undefined);
  expect(facts(successors)?.healthySince).toBe(since);
  await echo.stop();
  await waitUntil('the successor is unhealthy', () => facts(successors)?.lastError);
  expect(notes.map(({ passing_since }) => passing_since !== null)).toEqual([false, true, false]);
});

it('continues the healthy time over a quick restart, and restarts it after a long one', async () => {
  await using _echo = { [Symbol.asyncDispose]: (await startEcho(port)).stop };
  const first = start();
  await isHealthy(first);
  const since = facts(first)?.healthySince;
  first.stop();
  const second = start();
  await isHealthy(second);
  expect(facts(second)?.healthySince).toBe(since);
  second.stop();
  // The same records, moved one hour into the past: a gap of one hour.
  const long = notes.map((note) => ({ ...note }));
  notes.splice(0, notes.length, ...long.map((note) => shifted(note, -HOUR)));
  const third = start();
  await isHealthy(third);
  expect(facts(third)?.healthySince).toBeGreaterThan((since ?? 0) + 1);
});

it('restarts the healthy time for another target', async () => {
  await using _echo = { [Symbol.asyncDispose]: (await startEcho(port)).stop };
  const successors = start();
  await isHealthy(successors);
  successors.apply(tunnels(successor({ target: { kind: 'tcp', host: '127.0.0.1', port: await freePort() } })));
  expect(facts(successors)?.healthySince).toBeUndefined();
  successors.apply(new Map());
  expect(facts(successors)).toBeUndefined();
});

it('counts a successor without recent checks as unhealthy', async () => {
  await using _echo = { [Symbol.asyncDispose]: (await startEcho(port)).stop };
  const successors = start();
  await isHealthy(successors);
  const later = successors.factsOf('hub', history(), { sinceBootMs: sinceBootMs() + HOUR, wall: Date.now() });
  expect(later).toMatchObject({ healthySince: undefined, lastError: 'the last probe is too old' });
});

function shifted(note: Happening, ms: number): Happening {
  const move = (time: unknown) => (typeof time === 'string' ? new Date(Date.parse(time) + ms).toISOString() : time);
  const { passing_since, last_passed_at, passing_since_ms: since, last_passed_ms: last } = note;
  return {
    ...note,
    passing_since: move(passing_since),
    last_passed_at: move(last_passed_at),
    passing_since_ms: typeof since === 'number' ? since + ms : null,
    last_passed_ms: typeof last === 'number' ? last + ms : null,
  };
}
