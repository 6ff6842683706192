import { describe, expect, it } from 'vitest';
import { parseEntry } from '../../../../src/retirement/evidence/entry.ts';
import { readEvent } from '../../../../src/retirement/evidence/events.ts';
import { History, LONGEST_SILENCE_MS } from '../../../../src/retirement/evidence/history.ts';
import { availability, gaps, outages, watchedSince } from '../../../../src/retirement/evidence/watch.ts';

const START = Date.parse('2026-07-20T10:00:00Z');
const MINUTE = 60_000;

/** Tells a history what the log says, with both clocks in step unless a test has them run apart. */
class Story {
  readonly history = new History();
  #startedAt = 0;
  #state: string | null = null;

  line(minute: number, event: string, fields: Record<string, unknown> = {}, clockOffMs = 0): this {
    if (event === 'daemon.started') [this.#startedAt, this.#state] = [minute, null];
    if (event === 'tunnel.removed') this.#state = null;
    const at = new Date(Math.round(START + minute * MINUTE + clockOffMs)).toISOString();
    const uptime = Math.round((minute - this.#startedAt) * MINUTE);
    const line = JSON.stringify({ seq: 1, at, uptime_ms: uptime, event, ...fields, prev: '0'.repeat(64) });
    const entry = parseEntry(line);
    if (!entry) throw new Error(`no entry: ${line}`);
    this.history.tell(readEvent(entry), { at: new Date(entry.at), uptimeMs: entry.uptime_ms });
    return this;
  }

  started(minute: number): this {
    return this.line(minute, 'daemon.started', { version: '1', config_sha256: '' });
  }

  state(minute: number, to: string, clockOffMs = 0): this {
    const change = { from: this.#state, to, serving: to === 'up', listening: to !== 'stopped' };
    this.#state = to;
    return this.line(minute, 'tunnel.state', { tunnel: 'hub', ...change, reason: null, code: null }, clockOffMs);
  }

  beats(from: number, until: number, clockOffMs = 0): this {
    for (let minute = from; minute <= until; minute++) this.line(minute, 'heartbeat', { tunnels: {} }, clockOffMs);
    return this;
  }

  get spans(): [number, number, string][] {
    return this.history.of('hub').spans.map(({ from, until, state }) => [minutes(from), minutes(until), state]);
  }
}

const minutes = (ms: number) => (ms - START) / MINUTE;
const window = (from: number, until: number) => ({ from: START + from * MINUTE, until: START + until * MINUTE });
const periods = (found: readonly { from: number; until: number }[]) =>
  found.map(({ from, until }) => [minutes(from), minutes(until)]);

describe('history', () => {
  it('knows of an unknown tunnel nothing', () => {
    expect(new History().of('hub')).toEqual({ spans: [], lastActivityAt: undefined });
  });

  it('is a row of states without breaks while the daemon watches', () => {
    const story = new Story()
      .started(0)
      .state(0, 'down')
      .state(1, 'up')
      .beats(2, 10)
      .state(11, 'degraded')
      .beats(12, 13);
    expect(story.spans).toEqual([
      [0, 1, 'down'],
      [1, 11, 'up'],
      [11, 13, 'degraded'],
    ]);
  });

  it('grows with the running daemon between its lines', () => {
    const { history, spans } = new Story().started(0).state(0, 'up');
    expect(spans).toEqual([[0, 0, 'up']]);
    history.watched({ at: new Date(START + MINUTE), uptimeMs: MINUTE });
    expect(history.of('hub').spans).toEqual([
      { from: START, until: START + MINUTE, state: 'up', serving: true, listening: true, begins: true },
    ]);
  });

  it('has a gap from the last line of a killed daemon to the start of the next', () => {
    const story = new Story().started(0).state(0, 'up').beats(1, 5).started(7).state(7, 'up').beats(8, 9);
    expect(story.spans).toEqual([
      [0, 5, 'up'],
      [7, 9, 'up'],
    ]);
  });

  it('has a gap where a daemon was stopped, even if its successor came at once', () => {
    const story = new Story()
      .started(0)
      .state(0, 'up')
      .line(2, 'daemon.stopped')
      .started(2.5)
      .state(2.5, 'up')
      .beats(3, 3);
    expect(story.spans).toEqual([
      [0, 2, 'up'],
      [2.5, 3, 'up'],
    ]);
  });

  it.each([
    ['the machine slept', (story: Story) => story.beats(1, 2).beats(2 + LONGEST_SILENCE_MS / MINUTE + 1, 10)],
    ['the clock was put forward', (story: Story) => story.beats(1, 2).beats(3, 4, 10 * MINUTE)],
    ['the clock was put back', (story: Story) => story.beats(1, 4).beats(5, 6, -3 * MINUTE)],
  ])('has a gap where %s', (_, tell) => {
    const story = tell(new Story().started(0).state(0, 'up'));
    expect(story.spans).toHaveLength(2);
    expect(watchedSince(story.history.of('hub'), START + 100 * MINUTE, 1_000)).toBeUndefined();
  });

  it('tells a tunnel that is degraded and serves from one that does not', () => {
    const degraded = (serving: boolean) => ({
      tunnel: 'hub',
      from: 'up',
      to: 'degraded',
      serving,
      reason: 'x',
      code: null,
    });
    const { history } = new Story()
      .started(0)
      .line(0, 'tunnel.state', degraded(true))
      .beats(1, 3)
      .line(4, 'tunnel.state', degraded(false))
      .beats(5, 8);
    expect(history.of('hub').spans.map(({ serving }) => serving)).toEqual([true, false]);
    expect(availability(history.of('hub'), window(0, 8))).toBe(0.5);
  });

  it('ends with the tunnel, and goes on when it comes back', () => {
    const story = new Story()
      .started(0)
      .state(0, 'up')
      .line(2, 'tunnel.removed', { tunnel: 'hub' })
      .beats(3, 4)
      .state(5, 'up')
      .beats(6, 6);
    expect(story.spans).toEqual([
      [0, 2, 'up'],
      [5, 6, 'up'],
    ]);
  });

  it('dates a use by when the daemon saw it, whatever the wall clock said then', () => {
    const pulse = (at: string | null) => ({
      tunnels: { hub: { state: 'up', serving: true, open: 0, opened_total: 0, last_activity_at: at } },
    });
    const story = new Story()
      .started(0)
      .line(1, 'heartbeat', pulse('2026-07-20T09:00:00.000Z'))
      .line(2, 'heartbeat', pulse(null));
    expect(story.history.of('hub').lastActivityAt).toBe(START + MINUTE);
    story.beats(3, 4);
    story.history.used('hub', new Date(START - 2));
    expect(story.history.of('hub').lastActivityAt).toBe(START + 4 * MINUTE);
    story.beats(5, 6);
    story.history.used('hub', new Date(START - 2));
    expect(story.history.of('hub')).toMatchObject({
      lastActivityAt: START + 4 * MINUTE,
      lastActivityWallAt: START - 2,
    });
  });

  it('forgets what is long over', () => {
    const story = new Story().started(0).state(0, 'up').state(1, 'down').state(2, 'up').beats(3, 5);
    story.history.forget(START + 1.5 * MINUTE);
    expect(story.spans).toEqual([
      [1, 2, 'down'],
      [2, 5, 'up'],
    ]);
  });
});

describe('what history says', () => {
  const story = new Story()
    .started(0)
    .state(0, 'up')
    .beats(1, 9)
    .state(10, 'down')
    .state(11, 'degraded')
    .beats(12, 12)
    .state(13, 'up')
    .beats(14, 20)
    .started(30)
    .state(30, 'unverified')
    .beats(31, 34)
    .state(35, 'up')
    .beats(36, 40);
  const hub = story.history.of('hub');
  const now = START + 40 * MINUTE;

  it('since when it was watched without a break', () => {
    expect(minutes(watchedSince(hub, now, 1_000) ?? 0)).toBe(30);
    expect(watchedSince(hub, now + 2_000, 1_000)).toBeUndefined();
  });

  it('when it could not serve: one bad state after the other is one outage', () => {
    expect(periods(outages(hub, window(0, 40), 0))).toEqual([
      [10, 13],
      [30, 35],
    ]);
    expect(periods(outages(hub, window(0, 40), 4 * MINUTE))).toEqual([[30, 35]]);
    expect(periods(outages(hub, window(12, 31), 0))).toEqual([
      [12, 13],
      [30, 31],
    ]);
  });

  it('when nobody watched', () => {
    expect(periods(gaps(hub, window(-5, 45)))).toEqual([
      [-5, 0],
      [20, 30],
      [40, 45],
    ]);
    expect(periods(gaps(hub, window(31, 40)))).toEqual([]);
  });

  it('counts a clock that was put back as a gap, and no time twice', () => {
    const story = new Story()
      .started(0)
      .state(0, 'up')
      .beats(1, 10)
      .state(11, 'up', -5 * MINUTE)
      .beats(12, 15, -5 * MINUTE);
    const { history } = story;
    expect(availability(history.of('hub'), window(0, 10))).toBe(0.9);
  });

  it.each<[string, number, number, number | undefined]>([
    ['all of it', 0, 10, 1],
    ['an outage', 0, 20, 17 / 20],
    ['the daemon away, which is an outage to its clients', 15, 30, 5 / 15],
    ['the time before the tunnel was known left out', -100, 10, 1],
    ['the unverified time left out', 30, 40, 1],
    ['nothing but unverified', 30, 35, undefined],
    ['before everything', -10, 0, undefined],
    ['nobody watched at all', 21, 29, undefined],
  ])('its availability: %s', (_, from, until, expected) => {
    expect(availability(hub, window(from, until))).toEqual(
      expected === undefined ? undefined : expect.closeTo(expected),
    );
  });
});

describe('the clock that never jumps', () => {
  const SECOND = 1_000;

  it('measures a watch while the wall clock is stepped forward by little at a time', () => {
    const { history } = new Story().started(0).state(0, 'up');
    let wall = START;
    for (let second = 1; second <= 20; second++) {
      wall += 5 * SECOND;
      history.watched({ at: new Date(wall), uptimeMs: second * SECOND });
    }
    expect(wall - (watchedSince(history.of('hub'), wall, SECOND) ?? 0)).toBe(20 * SECOND);
  });

  it('dates the last use, too', () => {
    const { history } = new Story().started(0).state(0, 'up');
    history.used('hub', new Date(START));
    let wall = START;
    for (let second = 1; second <= 20; second++) {
      wall += 5 * SECOND;
      history.watched({ at: new Date(wall), uptimeMs: second * SECOND });
    }
    expect(wall - (history.of('hub').lastActivityAt ?? 0)).toBe(20 * SECOND);
  });

  it('lets no earlier run fill the time of a daemon that was away, when the wall clock came back earlier', () => {
    const story = new Story().started(0).state(0, 'up').beats(1, 10).line(10, 'daemon.stopped');
    story.history.used('hub', new Date(START + 10 * MINUTE));
    // Ten seconds away, and the clock 22 seconds back: by the wall clock the new run began before the old one ended.
    const back = -22 * SECOND;
    story.line(10 + 1 / 6, 'daemon.started', { version: '1', config_sha256: '' }, back);
    story.state(10 + 1 / 6, 'up', back).beats(11, 12, back);
    const hub = story.history.of('hub');
    const began = START + 10 * MINUTE + 10 * SECOND + back;
    expect(watchedSince(hub, START + 12 * MINUTE + back, SECOND)).toBe(began);
    for (const { from, until, begins } of hub.spans.slice(0, -1)) {
      expect([from <= began, until <= began, begins]).toEqual([true, true, true]);
    }
    expect(hub.lastActivityAt).toBeLessThanOrEqual(began);
  });
});

describe('a tunnel that becomes another one', () => {
  it.each([
    ['whose listener, target or host changed', (story: Story) => story.line(5, 'tunnel.changed', { tunnel: 'hub' })],
    [
      'that was removed and came back in the same moment',
      (story: Story) => story.line(5, 'tunnel.removed', { tunnel: 'hub' }).state(5, 'up'),
    ],
  ])('is watched from then on only: %s', (_, become) => {
    const story = become(new Story().started(0).state(0, 'up').beats(1, 4)).beats(6, 9);
    expect(minutes(watchedSince(story.history.of('hub'), START + 9 * MINUTE, 0) ?? 0)).toBe(5);
    expect(availability(story.history.of('hub'), window(0, 9))).toBe(1);
  });
});

describe('an outage that a hold would cover', () => {
  it('is forgiven only while the port was open throughout', () => {
    const held = new Story().started(0).state(0, 'up').state(1, 'down').state(2, 'up').beats(3, 4);
    expect(outages(held.history.of('hub'), window(0, 4), 2 * MINUTE)).toEqual([]);
    const closed = new Story().started(0).state(0, 'up').state(1, 'stopped').state(2, 'up').beats(3, 4);
    expect(periods(outages(closed.history.of('hub'), window(0, 4), 2 * MINUTE))).toEqual([[1, 2]]);
    const partly = new Story().started(0).state(0, 'up').state(1, 'down').state(1.5, 'stopped').state(2, 'up');
    expect(periods(outages(partly.beats(3, 4).history.of('hub'), window(0, 4), 2 * MINUTE))).toEqual([[1, 2]]);
  });

  it('is not forgiven by lines of earlier versions, which do not say whether the port was open', () => {
    const old = (to: string) => ({ tunnel: 'hub', from: 'up', to, serving: to === 'up', reason: null, code: null });
    const { history } = new Story()
      .started(0)
      .state(0, 'up')
      .line(1, 'tunnel.state', old('down'))
      .line(2, 'tunnel.state', old('up'))
      .beats(3, 4);
    expect(periods(outages(history.of('hub'), window(0, 4), 2 * MINUTE))).toEqual([[1, 2]]);
  });
});
