import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { NamedTurns } from '../../../../src/base/async/turns.ts';
import { formatAddress } from '../../../../src/base/net/address.ts';
import type { Config } from '../../../../src/config/config.ts';
import { parseConfig } from '../../../../src/config/load.ts';
import { Cutovers } from '../../../../src/retirement/cutover/cutovers.ts';
import { CutoverStore } from '../../../../src/retirement/cutover/store.ts';
import { createLogger } from '../../../../src/telemetry/log/log.ts';
import { type TempDir, tempDir } from '../../../support/machine/temp-dir.ts';
import { listenLoopback } from '../../../support/peers/loopback.ts';
import { waitUntil } from '../../../support/wait-until.ts';

const TARGET = '127.0.0.1:9';
const SUCCESSOR = { target: TARGET, probe: { tcp: {} } };

let state: TempDir;
let store: CutoverStore;
beforeEach(async () => {
  state = tempDir('cutovers');
  store = new CutoverStore(state.path);
  const since = '2026-07-20T10:00:00.000Z';
  await store.write({ version: 1, tunnel: 'hub', phase: 'committed', since, reason: null, successor: TARGET });
});
afterEach(() => state[Symbol.dispose]());

/** The cut-overs of a daemon that starts with these tunnels and has restored their routes. */
async function start(tunnels: Record<string, object>, retired = false): Promise<Cutovers> {
  inForce = configOf(tunnels);
  const cutovers = new Cutovers({
    turns: new NamedTurns(),
    store,
    tunnel: () => undefined,
    tunnels: () => inForce.tunnels.values(),
    retired: () => retired,
    gates: () => 'there is no plan',
    note: () => {},
    log: createLogger({ level: 'fatal' }),
  });
  await cutovers.restore(inForce);
  await cutovers.forgetRemoved(inForce);
  return cutovers;
}

let inForce: Config;

function configOf(tunnels: Record<string, object>): Config {
  const common = { host: 'there', actor: 'agt-key', target: 't:1' };
  const named = Object.entries(tunnels).map(([name, own], index) => [
    name,
    { ...common, listen: `127.0.0.1:${2_000 + index}`, ...own },
  ]);
  const yaml = stringify({
    version: 1,
    node: 'there',
    plan: 'plan.yaml',
    hosts: { there: { address: 'a', user: 'u' } },
    actors: { 'agt-key': { key: 'k' } },
    tunnels: Object.fromEntries(named),
  });
  return parseConfig(Buffer.from(yaml), 'f.yaml', { HOME: '/h' });
}

const routeOf = (cutovers: Cutovers) => (cutovers.junctionOf('hub').detour ? 'successor' : 'tunnel');

describe('Cutovers, after a commit', () => {
  const hub = { drain: { step: '1.1', successor: SUCCESSOR } };

  test('keep the route over a restart', async () => {
    expect(routeOf(await start({ hub }))).toBe('successor');
  });

  test.each([
    ['its drain section', { hub: {} }],
    ['its tunnel', { other: {} }],
  ])('forget the commit after a daemon ran without %s', async (_, without) => {
    await start(without);
    await waitUntil('the disk has forgotten the commit', async () =>
      (await store.read('hub'))?.phase === 'committed' ? undefined : true,
    );
    expect(routeOf(await start({ hub }))).toBe('tunnel');
  });

  test.each([
    [
      'keep the route after another listener was configured while no daemon ran',
      { listen: '127.0.0.1:2009' },
      'successor',
    ],
    ['keep the route after another target was configured while no daemon ran', { target: 't:2' }, 'successor'],
    ['route another tunnel of the same name to its own target', { listen: '127.0.0.1:2009', target: 't:2' }, 'tunnel'],
  ])('%s', async (_, change, route) => {
    // Writes down which tunnel was cut over, as each phase does.
    const cutovers = await start({ hub: { ...hub, ...change, listen: '127.0.0.1:2000', target: 't:1' } });
    await cutovers.apply(configOf({ hub: { ...hub, target: 't:9' } }), inForce);
    await waitUntil('the place is on disk', async () => (await store.read('hub'))?.place !== undefined);
    expect(routeOf(await start({ hub: { ...hub, ...change } }))).toBe(route);
  });
});

describe('Cutovers, for a retired tunnel', () => {
  const hub = { drain: { step: '1.1', successor: SUCCESSOR } };
  const to = (port: number) => ({
    hub: { drain: { step: '1.1', successor: { target: `127.0.0.1:${port}`, probe: { tcp: {}, every: '1s' } } } },
  });
  const where = (cutovers: Cutovers) => {
    const target = cutovers.junctionOf('hub').detour?.target;
    return target && formatAddress(target);
  };
  const reload = async (cutovers: Cutovers, tunnels: Record<string, object>) => {
    const before = inForce;
    inForce = configOf(tunnels);
    await cutovers.apply(before, inForce);
  };

  test('keep the port with its successor after `drain:` is removed, and after a restart', async () => {
    const cutovers = await start({ hub }, true);
    await reload(cutovers, { hub: {} });
    expect(where(cutovers)).toBe(TARGET);
    expect(where(await start({ hub: {} }, true))).toBe(TARGET);
  });

  test('move the port to a changed successor once that passes its probe, and keep it there', async () => {
    const cutovers = await start({ hub }, true);
    // No process listens on this port.
    await reload(cutovers, to(1));
    await using server = await listenLoopback((socket) => socket.end());
    expect(where(cutovers)).toBe(TARGET);
    await reload(cutovers, to(server.port));
    await waitUntil('the changed successor has the port', () => where(cutovers) === `127.0.0.1:${server.port}`);
    await waitUntil('the changed successor is on disk', async () => (await store.read('hub'))?.successor !== TARGET);
    await cutovers.stop();
    expect(where(await start({ hub: {} }, true))).toBe(`127.0.0.1:${server.port}`);
  });

  test('route the port through the tunnel when the tunnel is back in service without that successor', async () => {
    const cutovers = await start({ hub: {} }, true);
    await cutovers.backInService(['hub']);
    expect(where(cutovers)).toBeUndefined();
    expect(await store.read('hub')).toMatchObject({ phase: 'rolled_back' });
  });
});
