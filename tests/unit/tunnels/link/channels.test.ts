import { setMaxListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SessionFull, TunnelError } from '../../../../src/base/errors.ts';
import type { Address } from '../../../../src/base/net/address.ts';
import type { Channel } from '../../../../src/tunnels/channel/channel-source.ts';
import { Channels } from '../../../../src/tunnels/link/channels.ts';
import { Roster } from '../../../../src/tunnels/link/roster.ts';
import { credentialFacts, FakeSession } from '../../../support/fakes/fake-link.ts';

const target = { kind: 'tcp', host: '192.0.2.7', port: 22 } as const;
const named = (host: string) => ({ kind: 'tcp', host, port: 22 }) as const;
const originator = { address: '127.0.0.1', port: 1 };
const never = new AbortController().signal;
const WAIT_MS = 10_000;

/** A session that never answers an open. Keepalives are answered only if `alive`. */
class SilentSession extends FakeSession {
  readonly #alive: boolean;
  readonly asked: Address[] = [];

  constructor(alive: boolean) {
    super();
    this.#alive = alive;
  }

  override open(...[to]: Parameters<FakeSession['open']>): Promise<Channel> {
    this.opens++;
    this.unanswered++;
    this.asked.push(to);
    return new Promise(() => {});
  }

  /** Without an answer, the check makes the session suspect. */
  override check(): void {
    super.check();
    if (!this.#alive) setTimeout(() => (this.suspect = true), this.patienceMs);
  }
}

/** A session whose server has no free descriptor. */
class FullSession extends FakeSession {
  override async open(...args: Parameters<FakeSession['open']>): Promise<Channel> {
    await super.open(...args);
    throw new SessionFull('target_unreachable', 'no room');
  }
}

beforeEach(() => vi.useFakeTimers());
afterEach(() => {
  vi.useRealTimers();
});

function channelsOver(...sessions: FakeSession[]) {
  const roster = new Roster();
  for (const session of sessions) roster.add(session, credentialFacts('key'), roster.generation);
  const winners: string[] = [];
  const channels = new Channels(roster, {
    waitMs: () => WAIT_MS,
    absence: () => new TunnelError('connection_reset', 'there is no session'),
    onRaced: (winner) => winners.push(winner),
    onSilence: () => {},
  });
  return { channels, winners };
}

describe(Channels, () => {
  it('rejects with the reason of the link while no session is up', async () => {
    const { channels } = channelsOver();
    await expect(channels.open(target, originator, never)).rejects.toThrow('there is no session');
    await expect(channels.open(named('db'), originator, never)).rejects.toThrow('there is no session');
    await expect(channels.carry(target, never)).rejects.toThrow('there is no session');
  });

  it('opens on the serving session, and starts no race while that session answers', async () => {
    const sessions = [new FakeSession(), new FakeSession()];
    const { channels, winners } = channelsOver(...sessions);
    await channels.open(target, originator, never);
    expect([sessions.map(({ opens }) => opens), winners]).toEqual([[1, 0], []]);
  });

  it('opens on another session, once, when the server could not try the target', async () => {
    const sessions = [new FullSession(), new FullSession(), new FakeSession()];
    const { channels } = channelsOver(...sessions);
    await expect(channels.open(target, originator, never)).rejects.toThrow('no room');
    expect(sessions.map(({ opens }) => opens)).toEqual([1, 1, 0]);
    await channelsOver(new FullSession(), new FakeSession()).channels.open(named('db'), originator, never);
    const [full, suspect] = [new FullSession(), new FakeSession()];
    suspect.suspect = true;
    await expect(channelsOver(full, suspect).channels.open(target, originator, never)).rejects.toThrow('no room');
    expect(suspect.opens).toBe(0);
  });

  it('opens on another session within half a second when the first one answers no keepalive', async () => {
    const sessions = [new SilentSession(false), new FakeSession()];
    const { channels, winners } = channelsOver(...sessions);
    const opening = channels.open(target, originator, never);
    await vi.advanceTimersByTimeAsync(400);
    await opening;
    expect([sessions[1]?.opens, winners]).toEqual([1, ['second']]);
  });

  it('asks a slow target once, however slow it is, while the session answers keepalives', async () => {
    const sessions = [new SilentSession(true), new FakeSession()];
    const { channels, winners } = channelsOver(...sessions);
    const gone = new AbortController();
    setMaxListeners(0, gone.signal);
    for (let count = 0; count < 20; count++) channels.open(target, originator, gone.signal).catch(() => {});
    await vi.advanceTimersByTimeAsync(WAIT_MS);
    expect([sessions.map(({ opens }) => opens), winners]).toEqual([[20, 0], []]);
    // A session that dies while the target is slow is noticed all the same.
    expect(sessions[0]?.checks).toBeGreaterThan(20);
    gone.abort(new Error('over'));
    await vi.advanceTimersByTimeAsync(0);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('never carries an open to another session that has frozen its session', async () => {
    const sessions = [new FakeSession(), new SilentSession(false)];
    const { channels } = channelsOver(...sessions);
    const gone = new AbortController();
    channels.open(named('Frozen.test'), originator, gone.signal).catch(() => {});
    await vi.advanceTimersByTimeAsync(100);
    Object.assign(sessions[1] as object, { frozenBy: 'frozen.test' });
    await vi.advanceTimersByTimeAsync(WAIT_MS);
    // The next client with the same name waits for its turn, and other targets are served.
    const again = channels.open(named('frozen.test'), originator, gone.signal);
    again.catch(() => {});
    await channels.open(target, originator, never);
    expect(sessions.map(({ opens }) => opens)).toEqual([1, 1]);
    await vi.advanceTimersByTimeAsync(WAIT_MS);
    await expect(again).rejects.toMatchObject({ code: 'target_unreachable' });
    gone.abort(new Error('over'));
  });

  it('carries an open to another session that waits behind a frozen open', async () => {
    const sessions = [new SilentSession(false), new FakeSession()];
    const { channels, winners } = channelsOver(...sessions);
    Object.assign(sessions[0] as object, { frozenBy: 'frozen.test' });
    const opening = channels.open(target, originator, never);
    await vi.advanceTimersByTimeAsync(400);
    await opening;
    expect(winners).toEqual(['second']);
  });

  it('opens a new name on the session with the fewest channels', async () => {
    const sessions = [new FakeSession(), new FakeSession()];
    Object.assign(sessions[0] as object, { channels: 3 });
    const { channels } = channelsOver(...sessions);
    await channels.open(named('db'), originator, never);
    expect(sessions.map(({ opens }) => opens)).toEqual([0, 1]);
  });

  it('lets clients wait while no session answers, and serves them as soon as one does', async () => {
    const session = new SilentSession(false);
    session.suspect = true;
    const other = new FakeSession();
    other.suspect = true;
    const { channels } = channelsOver(session, other);
    const gone = new AbortController();
    setMaxListeners(0, gone.signal);
    const opens = Array.from({ length: 100 }, () => channels.open(target, originator, gone.signal));
    for (const open of opens) open.catch(() => {});
    await vi.advanceTimersByTimeAsync(5_000);
    // SSH cannot withdraw an open, so most clients wait here.
    expect([session.opens, other.opens]).toEqual([16, 0]);
    other.suspect = false;
    await vi.advanceTimersByTimeAsync(500);
    await Promise.all(opens);
    expect(session.opens).toBe(16);
  });

  it('rejects a client as a loss of the session when no session answers in time', async () => {
    const session = new SilentSession(false);
    Object.assign(session, { suspect: true, unanswered: 16 });
    const { channels } = channelsOver(session);
    const open = channels.open(target, originator, never);
    open.catch(() => {});
    await vi.advanceTimersByTimeAsync(WAIT_MS + 50);
    await expect(open).rejects.toMatchObject({ code: 'keepalive_lost' });
    expect(vi.getTimerCount()).toBe(0);
  });

  it('spreads carried sessions over all sessions', async () => {
    const sessions = [new FakeSession(), new FakeSession()];
    const { channels } = channelsOver(...sessions);
    const carriers = [await channels.carry(target, never), await channels.carry(target, never)];
    expect(sessions.map(({ opens }) => opens)).toEqual([1, 1]);
    expect(carriers.map(({ leaving }) => leaving)).toEqual([false, false]);
  });
});
