import fc from 'fast-check';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { ErrorCode } from '../../../../src/base/errors.ts';
import { actorConfig, credentialFacts, FakeNetwork, hostConfig } from '../../../support/fakes/fake-link.ts';

/** The events that the network and the operator cause. */
type Event =
  | { readonly kind: 'pass'; readonly ms: number }
  | { readonly kind: 'connect' }
  | { readonly kind: 'fail'; readonly code: ErrorCode }
  | { readonly kind: 'lose' | 'half-close' | 'suspect' | 'occupy' | 'free'; readonly session: number }
  | { readonly kind: 'kick' | 'open' | 'wait' | 'new-key' }
  | { readonly kind: 'reconfigure'; readonly sessions: number; readonly replace: boolean };

const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.nat({ max: 90_000 }) }) },
  { weight: 6, arbitrary: fc.constant({ kind: 'connect' } as const) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('fail' as const),
      code: fc.constantFrom<ErrorCode>('connect_refused', 'auth_rejected', 'host_key_changed', 'internal'),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constantFrom('lose', 'half-close', 'suspect', 'occupy', 'free'),
      session: fc.nat({ max: 5 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('kick', 'open', 'wait', 'new-key') }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('reconfigure' as const),
      sessions: fc.integer({ min: 1, max: 4 }),
      replace: fc.boolean(),
    }),
  },
);

class World {
  readonly net = new FakeNetwork();
  readonly gone = new AbortController();
  sessions = hostConfig.sessions;
  woken = 0;
  waiting = 0;
  keys = 1;

  async happen(event: Event): Promise<void> {
    const { net } = this;
    switch (event.kind) {
      case 'pass':
        break;
      case 'connect':
        if (net.connecting > 0) net.last.succeed();
        break;
      case 'fail':
        if (net.connecting > 0) net.last.fail(event.code);
        break;
      case 'kick':
        net.link.kick();
        break;
      case 'new-key':
        net.credential = credentialFacts(`SHA256:${++this.keys}`);
        break;
      case 'open':
        await net.link
          .open({ kind: 'tcp', host: 'x', port: 1 }, { address: '127.0.0.1', port: 1 }, this.gone.signal)
          .then(
            () => expect(net.sessions.some(({ usable }) => usable)).toBe(true),
            () => expect(net.link.ready).toBe(false),
          );
        break;
      case 'wait':
        this.waiting++;
        net.link.whenReady(this.gone.signal).then(
          () => this.woken++,
          () => {},
        );
        break;
      case 'reconfigure':
        this.sessions = event.sessions;
        net.link.reconfigure({ host: { ...hostConfig, sessions: event.sessions }, actor: actorConfig }, event.replace);
        break;
      default:
        this.#strike(event.kind, event.session);
    }
    await vi.advanceTimersByTimeAsync(event.kind === 'pass' ? event.ms : 0);
    net.link.tick(new Date());
  }

  #strike(kind: 'lose' | 'half-close' | 'suspect' | 'occupy' | 'free', index: number): void {
    const living = this.net.sessions.filter(({ usable }) => usable);
    const session = living[index % Math.max(1, living.length)];
    if (!session) return;
    if (kind === 'lose') session.lose();
    else if (kind === 'half-close') session.usable = false;
    else if (kind === 'suspect') session.suspect = !session.suspect;
    else if (kind === 'occupy') session.channels++;
    else session.closeChannels();
  }

  /** Invariants that hold at every moment. */
  check(): void {
    const { net } = this;
    expect(net.mostConnecting).toBeLessThanOrEqual(1);
    expect(net.sessions.reduce((sum, { opensAfterClose }) => sum + opensAfterClose, 0)).toBe(0);
    expect(net.link.ready).toBe(net.sessions.some(({ usable }) => usable));
    expect(net.link.state === 'up').toBe(net.link.ready);
    const held = net.link.status().sessions.map(({ id, role }) => ({ role, session: net.sessions[id - 1] }));
    expect(held.filter(({ role }) => role === 'active').length).toBe(net.link.ready ? 1 : 0);
    const kept = held.filter(({ role, session }) => role !== 'draining' && session?.usable && !session.draining);
    // One more while a session is suspect.
    const suspect = kept.some(({ session }) => session?.suspect);
    expect(kept.length).toBeLessThanOrEqual(this.sessions + (suspect ? 1 : 0));
    if (net.link.ready) expect(this.woken).toBe(this.waiting);
  }
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test('keeps the invariants, recovers and stops after any sequence of events', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(event, { maxLength: 60 }), fc.nat({ max: 99 }), async (events, dice) => {
      const world = new World();
      const { net } = world;
      net.random = dice / 100;
      net.link.start();
      for (const each of events) {
        await world.happen(each);
        world.check();
      }
      if (events.length % 3 === 0) {
        // Half-closed sessions end by themselves. A healthy server then has exactly n sessions.
        for (const session of net.sessions) if (!session.usable) session.lose('connection_reset');
        for (const session of net.sessions) session.suspect = false;
        net.outcome = 'ok';
        if (net.connecting > 0) net.last.succeed();
        await vi.advanceTimersByTimeAsync(600_000);
        net.link.tick(new Date());
        world.check();
        expect(net.kept).toHaveLength(world.sessions);
      }
      world.gone.abort(new Error('gone'));
      await net.link.stop();
      expect(net.sessions.filter(({ usable }) => usable)).toEqual([]);
      expect(net.connecting).toBe(0);
      expect(vi.getTimerCount()).toBe(0);
    }),
    { numRuns: 150 },
  );
});
