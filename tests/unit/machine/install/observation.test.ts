import { describe, expect, it } from 'vitest';
import { type Look, Observation } from '../../../../src/machine/install/observation.ts';
import type { Status } from '../../../../src/telemetry/status/status.ts';
import { linkFixture, statusFixture, tunnelFixture } from '../../../support/fakes/status-fixture.ts';

const MINUTE = 60_000;
const GOOD = statusFixture({ links: [linkFixture()], tunnels: [tunnelFixture()] });
const [TUNNEL] = GOOD.tunnels;
if (TUNNEL === undefined) throw new Error('the fixture has no tunnel');

const withTunnel = (change: Partial<Status['tunnels'][number]>): Look => ({
  status: { ...GOOD, tunnels: GOOD.tunnels.map((each) => (each === TUNNEL ? { ...each, ...change } : each)) },
});
const counted = (opened_total: number, failed_total: number): Look =>
  withTunnel({ usage: { ...TUNNEL.usage, opened_total, failed_total } });
const statusIn = (look: Look): Status => {
  if ('unreachable' in look) throw new Error(look.unreachable);
  return look.status;
};

/** The outcome of looks at these seconds. */
function outcome(looks: readonly (readonly [seconds: number, look: Look])[], before: Status | undefined = GOOD) {
  const observation = new Observation({ observeMs: 2 * MINUTE, before, required: [] }, 0);
  return looks.map(([seconds, look]) => observation.next(look, seconds * 1_000)).at(-1);
}

describe(Observation, () => {
  const good: Look = { status: GOOD };

  it('promotes a release that serves until the end, and not before', () => {
    expect(
      outcome([
        [0, good],
        [119, good],
      ]),
    ).toEqual({ kind: 'watching' });
    expect(
      outcome([
        [0, good],
        [120, good],
      ]),
    ).toEqual({ kind: 'promoted' });
  });

  it('rolls back a daemon that ended and was started again', () => {
    const again: Look = { status: { ...GOOD, started_at: new Date('2026-12-24T00:00:00Z') } };
    expect(
      outcome([
        [0, good],
        [1, again],
      ]),
    ).toEqual({
      kind: 'rolled_back',
      reasons: ['the daemon ended, and started again at 2026-12-24T00:00:00.000Z'],
    });
  });

  it.each<[string, Look, RegExp]>([
    ['a daemon that does not answer', { unreachable: 'refused' }, /^the daemon does not answer: refused$/],
    ['a failing probe', withTunnel({ state: 'degraded', reason: 'the probe fails' }), /is degraded: the probe fails$/],
    ['a tunnel that is gone', { status: { ...GOOD, tunnels: [] } }, / is gone$/],
    [
      'a link that is down',
      { status: { ...GOOD, links: GOOD.links.map((link) => ({ ...link, state: 'backoff' })) } },
      /^the link to .* is backoff$/,
    ],
  ])('rolls back for %s, but only if the fault lasts', (_, bad, reason) => {
    expect(
      outcome([
        [0, good],
        [30, bad],
        [41, bad],
      ]),
    ).toEqual({ kind: 'watching' });
    expect(
      outcome([
        [0, good],
        [30, bad],
        [41, good],
        [43, bad],
      ]),
    ).toEqual({ kind: 'watching' });
    const end = outcome([
      [0, good],
      [30, bad],
      [42, bad],
    ]);
    expect(end).toEqual({ kind: 'rolled_back', reasons: expect.arrayContaining([expect.stringMatching(reason)]) });
  });

  it('promotes nothing while a fault is there at the end', () => {
    const bad = withTunnel({ state: 'down', reason: 'x' });
    expect(
      outcome([
        [0, good],
        [119, bad],
        [121, bad],
      ]),
    ).toEqual({ kind: 'watching' });
    expect(
      outcome([
        [0, good],
        [119, bad],
        [122, good],
      ]),
    ).toEqual({ kind: 'promoted' });
  });

  it('compares failed connections with those before the upgrade', () => {
    const worse: [number, Look][] = [
      [0, counted(0, 0)],
      [30, counted(90, 10)],
      [50, counted(90, 10)],
    ];
    expect(outcome(worse, statusIn(counted(1_000, 0)))).toEqual({
      kind: 'rolled_back',
      reasons: ['10 of 100 client connections failed since the upgrade'],
    });
    expect(outcome(worse, statusIn(counted(900, 100)))).toEqual({ kind: 'watching' });
    expect(
      outcome([
        [0, counted(0, 0)],
        [30, counted(0, 4)],
        [50, counted(0, 4)],
      ]),
    ).toEqual({ kind: 'watching' });
  });

  it('ignores what was down before, and what an operator took out of service', () => {
    const down = withTunnel({ state: 'down', reason: 'x' });
    const stopped = withTunnel({ state: 'stopped', reason: 'x' });
    expect(
      outcome(
        [
          [0, down],
          [60, down],
        ],
        statusIn(down),
      ),
    ).toEqual({ kind: 'watching' });
    expect(
      outcome([
        [0, good],
        [60, stopped],
        [100, stopped],
      ]),
    ).toEqual({ kind: 'watching' });
  });
});
