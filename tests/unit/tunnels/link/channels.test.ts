import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { TunnelError } from '../../../../src/base/errors.ts';
import type { Channel } from '../../../../src/tunnels/channel/channel-source.ts';
import { Channels } from '../../../../src/tunnels/link/channels.ts';
import { Roster } from '../../../../src/tunnels/link/roster.ts';
import { credentialFacts, FakeSession } from '../../../support/fakes/fake-link.ts';

const target = { kind: 'tcp', host: '192.0.2.7', port: 22 } as const;
const originator = { address: '127.0.0.1', port: 1 };
const never = new AbortController().signal;

/** A session that never answers an open. `alive`: it still receives bytes. */
class SilentSession extends FakeSession {
  readonly #alive: boolean;

  constructor(alive: boolean) {
    super();
    this.#alive = alive;
  }

  override open(): Promise<Channel> {
    this.opens++;
    if (this.#alive) this.received++;
    return new Promise(() => {});
  }
}

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

function channelsOver(...sessions: FakeSession[]) {
  const roster = new Roster();
  for (const session of sessions) roster.add(session, credentialFacts('key'), roster.generation);
  const winners: string[] = [];
  const channels = new Channels(roster, {
    absence: () => new TunnelError('connection_reset', 'there is no session'),
    onRaced: (winner) => winners.push(winner),
  });
  return { channels, winners };
}

describe(Channels, () => {
  it('rejects with the reason of the link while no session is up', async () => {
    const { channels } = channelsOver();
    await expect(channels.open(target, originator, never)).rejects.toThrow('there is no session');
    await expect(channels.carry(target, never)).rejects.toThrow('there is no session');
  });

  it('opens on the serving session, and starts no race while that session answers', async () => {
    const sessions = [new FakeSession(), new FakeSession()];
    const { channels, winners } = channelsOver(...sessions);
    await channels.open(target, originator, never);
    expect([sessions.map(({ opens }) => opens), winners]).toEqual([[1, 0], []]);
  });

  it('opens on another session when the first one falls silent, however small the budget is', async () => {
    const sessions = [new SilentSession(false), new FakeSession()];
    const { channels, winners } = channelsOver(...sessions);
    for (let count = 0; count < 20; count++) {
      const opening = channels.open(target, originator, never);
      await vi.advanceTimersByTimeAsync(1_000);
      await opening;
    }
    expect([sessions[1]?.opens, winners.length]).toEqual([20, 20]);
    expect(winners).not.toContain('first');
  });

  it('races a slow but live session only as often as the budget allows', async () => {
    const sessions = [new SilentSession(true), new FakeSession()];
    const { channels } = channelsOver(...sessions);
    for (let count = 0; count < 20; count++) {
      void channels.open(target, originator, new AbortController().signal);
    }
    await vi.advanceTimersByTimeAsync(10_000);
    expect(sessions[1]?.opens).toBe(10);
  });

  it('spreads carried sessions over all sessions', async () => {
    const sessions = [new FakeSession(), new FakeSession()];
    const { channels } = channelsOver(...sessions);
    const carriers = [await channels.carry(target, never), await channels.carry(target, never)];
    expect(sessions.map(({ opens }) => opens)).toEqual([1, 1]);
    expect(carriers.map(({ leaving }) => leaving)).toEqual([false, false]);
  });
});
