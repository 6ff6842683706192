import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { TunnelError } from '../../../../src/base/errors.ts';
import type { Address } from '../../../../src/base/net/address.ts';
import type { Config, HostConfig } from '../../../../src/config/config.ts';
import type { Channel } from '../../../../src/tunnels/channel/channel-source.ts';
import { CurrentLink } from '../../../../src/tunnels/tunnel/current-link.ts';
import { LinkTable, type LinkUser } from '../../../../src/tunnels/tunnel/link-table.ts';
import {
  actorConfig,
  credentialFacts,
  FakeSession,
  hostConfig,
  recordingLogger,
} from '../../../support/fakes/fake-link.ts';
import { linkFixture } from '../../../support/fakes/status-fixture.ts';

const gate: HostConfig = { ...hostConfig, name: 'gate', address: '192.0.2.2', sessions: 1, jump: undefined };
const db: HostConfig = { ...hostConfig, name: 'db', address: '192.0.2.3', sessions: 1, jump: undefined };
const behind: HostConfig = { ...db, jump: { host: 'gate', actor: undefined } };

const configOf = (...hosts: HostConfig[]) =>
  ({
    hosts: new Map(hosts.map((host) => [host.name, host])),
    actors: new Map([['operator', { ...actorConfig, name: 'operator' }]]),
  }) as unknown as Config;

/** A tunnel of which the test decides everything. */
class FakeUser implements LinkUser {
  readonly link = new CurrentLink();
  readonly config: LinkUser['config'];
  outOfService: { settled: boolean } | undefined;
  forbidden = false;
  told = 0;

  constructor(host: string, port = 80) {
    const target: Address = { kind: 'tcp', host: '10.0.0.1', port };
    this.config = { host, actor: 'operator', direction: 'local', target };
  }

  linkChanged(): void {
    this.told++;
  }
}

/** Remembers the targets of its channels. */
class AskedSession extends FakeSession {
  readonly asked: Address[] = [];

  override open(target?: Address): Promise<Channel> {
    if (target) this.asked.push(target);
    return super.open();
  }
}

let sessions: { readonly host: string; readonly session: AskedSession }[];
let forgotten: string[];
let ended: string[];
/** Hosts that refuse every session, and how. */
let refused: Map<string, TunnelError>;
/** Of the credential that is handed out. */
let version: number;
let table: LinkTable;

beforeEach(() => {
  vi.useFakeTimers();
  sessions = [];
  forgotten = [];
  ended = [];
  refused = new Map();
  version = 1;
  table = new LinkTable({
    prepare: async ({ name }) => ({
      facts: credentialFacts('key', { version }),
      connect: async () => {
        const error = refused.get(name);
        if (error) throw error;
        const session = new AskedSession();
        sessions.push({ host: name, session });
        void session.closed.then(() => ended.push(name));
        return session;
      },
    }),
    credential: () => linkFixture().credential,
    metrics: {
      linkConnectAttempts: { inc() {} },
      linkDetectSeconds: { observe() {} },
      linkRecoverSeconds: { observe() {} },
      rotationSeconds: { observe() {} },
      forgetLink: (host: string, actor: string) => forgotten.push(`${actor}@${host}`),
    } as never,
    log: recordingLogger([]),
    note: () => {},
    random: () => 0.5,
  });
});
afterEach(async () => {
  await table.stop();
  vi.useRealTimers();
});

const pass = (ms = 1_000) => vi.advanceTimersByTimeAsync(ms);
const names = () => table.status().map(({ host }) => host);
const on = (host: string) => sessions.filter((each) => each.host === host).map(({ session }) => session);

describe('joining', () => {
  it('makes one link for all tunnels of a host and actor', async () => {
    const [one, two] = [new FakeUser('db'), new FakeUser('db')];
    table.join(configOf(db), one);
    table.join(configOf(db), two);
    await pass();
    expect([names(), on('db').length, one.link.ready, two.link.ready]).toEqual([['db'], 1, true, true]);
  });

  it('makes the link to a jump host first, and waits for that link', async () => {
    refused.set('gate', new TunnelError('connect_refused', 'refused'));
    const user = new FakeUser('db');
    table.join(configOf(gate, behind), user);
    await pass();
    expect([names(), on('db').length, user.link.state]).toEqual([['gate', 'db'], 0, 'backoff']);
    refused.clear();
    table.kick();
    await pass();
    expect([on('gate').length, on('db').length, user.link.ready]).toEqual([1, 1, true]);
  });

  it('moves a tunnel to another link, and tells the tunnel nothing more of the former one', async () => {
    const user = new FakeUser('db');
    const config = configOf(db, gate);
    table.join(config, user);
    await pass();
    table.join(config, user, { host: 'gate', actor: 'operator' });
    await pass();
    const told = user.told;
    on('db')[0]?.lose();
    await pass(0);
    expect([user.told - told, user.link.ready]).toEqual([0, true]);
  });

  it('brings a link up to date that only departing tunnels were on', async () => {
    const [old, next] = [new FakeUser('db'), new FakeUser('db')];
    table.join(configOf(db), old);
    await pass();
    table.depart(old);
    table.join(configOf({ ...db, user: 'other' }), next);
    await pass();
    expect(on('db').map(({ draining }) => draining)).toEqual([true, false]);
  });

  it('leaves the sessions of a link alone when a second tunnel joins with the same settings', async () => {
    table.join(configOf(db), new FakeUser('db'));
    await pass();
    table.join(configOf({ ...db }), new FakeUser('db'));
    await pass();
    expect(on('db').map(({ draining }) => draining)).toEqual([false]);
  });

  it('refuses a name that the configuration does not have', () => {
    expect(() => table.join(configOf(db), new FakeUser('nowhere'))).toThrow('no host nowhere');
  });
});

describe('news of a link', () => {
  it('reaches its own tunnels and no others, and no tunnel that has departed', async () => {
    const [mine, other, gone] = [new FakeUser('db'), new FakeUser('gate'), new FakeUser('db')];
    for (const user of [mine, other, gone]) table.join(configOf(db, gate), user);
    table.depart(gone);
    await pass();
    const before = [mine, other, gone].map(({ told }) => told);
    on('db')[0]?.lose();
    await pass(0);
    const after = [mine, other, gone].map(({ told }, index) => told > (before[index] ?? 0));
    expect(after).toEqual([true, false, false]);
  });

  it('reaches the links that run over it', async () => {
    const user = new FakeUser('db');
    table.join(configOf(gate, behind), user);
    await pass();
    refused.set('gate', new TunnelError('connect_refused', 'refused'));
    for (const { session } of [...sessions].reverse()) session.lose();
    await pass(60_000);
    expect(user.link.lastError?.message).toContain('its jump host gate is not reachable');
  });
});

describe('release', () => {
  it('ends a link that no tunnel is on any more, and forgets its metrics', async () => {
    const user = new FakeUser('db');
    table.join(configOf(db), user);
    await pass();
    await table.release();
    expect(names()).toEqual(['db']);
    table.depart(user);
    table.leave(user);
    await table.release();
    expect([names(), forgotten, on('db')[0]?.usable]).toEqual([[], ['operator@db'], false]);
  });

  it('keeps a link for the tunnel that departs from it, until that tunnel leaves', async () => {
    const user = new FakeUser('db');
    table.join(configOf(db), user);
    await pass();
    table.depart(user);
    await table.release();
    expect(names()).toEqual(['db']);
  });

  it('keeps a link with an open channel', async () => {
    const user = new FakeUser('db');
    table.join(configOf(db), user);
    await pass();
    table.leave(user);
    Object.assign(on('db')[0] ?? {}, { channels: 1 });
    await table.release();
    expect(names()).toEqual(['db']);
  });

  it('ends the link of a tunnel out of service once the tunnel has settled, and makes a new one when it comes back', async () => {
    const user = new FakeUser('db');
    table.join(configOf(db), user);
    await pass();
    user.outOfService = { settled: false };
    await table.release();
    expect(names()).toEqual(['db']);
    user.outOfService.settled = true;
    await table.release();
    expect(names()).toEqual([]);
    user.outOfService = undefined;
    table.join(configOf(db), user);
    await pass();
    expect([names(), user.link.ready]).toEqual([['db'], true]);
  });

  it('ends the link to a jump host only after the link that ran over it', async () => {
    const user = new FakeUser('db');
    table.join(configOf(gate, behind), user);
    await pass();
    table.leave(user);
    await table.release();
    expect(names()).toEqual(['gate']);
    await table.release();
    expect(names()).toEqual([]);
  });
});

describe('a reload', () => {
  it('makes new sessions where the host forbids something that a tunnel needs, and nowhere else', async () => {
    const [forbidden, fine] = [new FakeUser('db'), new FakeUser('gate')];
    table.join(configOf(db, gate), forbidden);
    table.join(configOf(db, gate), fine);
    await pass();
    forbidden.forbidden = true;
    table.renewForbidden();
    await pass();
    expect([on('db').length, on('gate').length]).toEqual([2, 1]);
  });

  it('makes new sessions to a jump host that forbids the way to a host behind it', async () => {
    refused.set('db', new TunnelError('forward_denied', 'may not be reached'));
    table.join(configOf(gate, behind), new FakeUser('db'));
    await pass();
    table.renewForbidden();
    await pass();
    expect(on('gate').length).toBe(2);
  });

  it('tells a link of new settings only if the link is there', async () => {
    table.join(configOf(db), new FakeUser('db'));
    await pass();
    const changes = ['db', 'gate'].map((host) => ({
      host,
      actor: 'operator',
      aspects: new Set(['port'] as const),
      needsNewSessions: true,
    }));
    table.reconfigure(configOf(db, gate), changes);
    await pass();
    expect([names(), on('db').length]).toEqual([['db'], 2]);
  });
});

it('ends a jump host’s link after the links that run over it', async () => {
  table.join(configOf(gate, behind), new FakeUser('db'));
  await pass();
  await table.stop();
  expect(ended).toEqual(['db', 'gate']);
});

it('replaces the sessions of the actor whose credential is superseded', async () => {
  table.join(configOf(db), new FakeUser('db'));
  await pass();
  expect([...table.actors]).toEqual(['operator']);
  table.supersede('somebody else', 2);
  await pass();
  expect(on('db').length).toBe(1);
  version = 2;
  table.supersede('operator', version);
  const over = table.rotations('operator');
  await pass();
  expect(on('db').map(({ draining }) => draining)).toEqual([true, false]);
  expect(await over).toEqual([{ host: 'db', error: undefined }]);
});

it('proves a new credential by the targets of tunnels in service alone', async () => {
  const [retired, serving] = [new FakeUser('db', 81), new FakeUser('db', 82)];
  for (const user of [retired, serving]) table.join(configOf(db), user);
  await pass();
  retired.outOfService = { settled: true };
  version = 2;
  table.supersede('operator', version);
  await pass();
  expect(on('db')[1]?.asked).toEqual([{ kind: 'tcp', host: '10.0.0.1', port: 82 }]);
});
