import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { parseConfig } from '../../../../src/config/load.ts';
import { Cutovers } from '../../../../src/retirement/cutover/cutovers.ts';
import { CutoverStore } from '../../../../src/retirement/cutover/store.ts';
import { createLogger } from '../../../../src/telemetry/log/log.ts';
import { type TempDir, tempDir } from '../../../support/machine/temp-dir.ts';
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
async function start(tunnels: Record<string, object>): Promise<Cutovers> {
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
  const cutovers = new Cutovers({
    store,
    tunnel: () => undefined,
    retired: () => false,
    gates: () => 'there is no plan',
    note: () => {},
    log: createLogger({ level: 'fatal' }),
  });
  await cutovers.restore(parseConfig(Buffer.from(yaml), 'f.yaml', { HOME: '/h' }));
  return cutovers;
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
});
