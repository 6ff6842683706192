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

/** A tunnel that the test controls. */
class FakeUser implements LinkUser {
  readonly link = new CurrentLink();
  readonly config: LinkUser['config'];
  outOfService: { settled: boolean } | undefined;
  forbidden = false;
  told = 0;
  forgot = 0;

  constructor(host: string, port = 80) {
    const target: Address = { kind: 'tcp', host: '10.0.0.1', port };
    this.config = { host, actor: 'operator', direction: 'local', target };
  }

  linkChanged(): void {
    this.told++;
  }

  forgetErrors(): void {
    this.forgot++;
  }
}

/** Remembers the targets of its channels. */
class AskedSession extends FakeSession {
  readonly asked: Address[] = [];

  override open(...asked: Parameters<FakeSession['open']>): Promise<Channel> {
    this.asked.push(asked[0]);
    return super.open(...asked);
  }
}

let sessions: { readonly host: string; readonly session: AskedSession }[];
let forgotten: string[];
let ended: string[];
/** Hosts that refuse every session, and how. */
let refused: Map<string, TunnelError>;
/** The version of the current credential. */
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

  it('moves a tunnel to another link, and reports nothing more about the old one', async () => {
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

  it('updates the settings of a link that only removed tunnels used', async () => {
    const [old, next] = [new FakeUser('db'), new FakeUser('db')];
    table.join(configOf(db), old);
    await pass();
    table.depart(old);
    table.join(configOf({ ...db, user: 'other' }), next);
    await pass();
    expect(on('db').map(({ draining }) => draining)).toEqual([true, false]);
  });

  it('keeps the sessions of a link when a second tunnel joins with the same settings', async () => {
    table.join(configOf(db), new FakeUser('db'));
    await pass();
    table.join(configOf({ ...db }), new FakeUser('db'));
    await pass();
    expect(on('db').map(({ draining }) => draining)).toEqual([false]);
  });

  it('rejects a name that is not in the configuration', () => {
    expect(() => table.join(configOf(db), new FakeUser('nowhere'))).toThrow('no host nowhere');
  });
});

describe('news of a link', () => {
  it("reports a link's changes only to its own tunnels, and to no removed tunnel", async () => {
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

  it("reports a jump host's changes to the links over it", async () => {
    const user = new FakeUser('db');
    table.join(configOf(gate, behind), user);
    await pass();
    refused.set('gate', new TunnelError('connect_refused', 'refused'));
    for (const { session } of [...sessions].reverse()) session.lose();
    await pass(60_000);
    expect(user.link.lastError?.message).toContain('jump host gate is unreachable');
  });
});

describe('release', () => {
  it('ends a link without tunnels, and removes its metrics', async () => {
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

  it('keeps a link for a removed tunnel until its last connection ended', async () => {
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

  it('ends the link of a settled tunnel out of service, and starts a new one when the tunnel resumes', async () => {
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

  it('ends the link to a jump host only after the link over it', async () => {
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
  it('replaces sessions at a reload only on hosts that forbid a forward', async () => {
    const [forbidden, fine] = [new FakeUser('db'), new FakeUser('gate')];
    table.join(configOf(db, gate), forbidden);
    table.join(configOf(db, gate), fine);
    await pass();
    forbidden.forbidden = true;
    table.renewForbidden();
    await pass();
    expect([on('db').length, on('gate').length]).toEqual([2, 1]);
  });

  it('replaces sessions at a reload to a jump host that forbids the route to a host', async () => {
    refused.set('db', new TunnelError('forward_denied', 'forbidden'));
    table.join(configOf(gate, behind), new FakeUser('db'));
    await pass();
    table.renewForbidden();
    await pass();
    expect(on('gate').length).toBe(2);
  });

  it('applies new settings at a reload only to links that exist', async () => {
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

it('ends a jump host’s link after the links over it at a stop', async () => {
  table.join(configOf(gate, behind), new FakeUser('db'));
  await pass();
  await table.stop();
  expect(ended).toEqual(['db', 'gate']);
});

it('replaces the sessions of the actor with a new credential', async () => {
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
  expect(await over).toEqual([{ host: 'db', actor: 'operator', error: undefined }]);
});

it('proves a new credential only with targets of tunnels in service', async () => {
  const [retired, serving] = [new FakeUser('db', 81), new FakeUser('db', 82)];
  for (const user of [retired, serving]) table.join(configOf(db), user);
  await pass();
  retired.outOfService = { settled: true };
  version = 2;
  table.supersede('operator', version);
  await pass();
  expect(on('db')[1]?.asked).toEqual([{ kind: 'tcp', host: '10.0.0.1', port: 82 }]);
});
