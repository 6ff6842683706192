import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { TunnelError } from '../../../../src/base/errors.ts';
import { StateDisk } from '../../../../src/base/files/state-disk.ts';
import { parseConfig } from '../../../../src/config/load.ts';
import { RetiredTunnels, retiredFile } from '../../../../src/retirement/drain/retired.ts';
import { createLogger } from '../../../../src/telemetry/log/log.ts';
import { placeOf } from '../../../../src/tunnels/tunnel/sameness.ts';
import { type TempDir, tempDir } from '../../../support/machine/temp-dir.ts';
import { waitUntil } from '../../../support/wait-until.ts';

const RETIRED = { at: '2026-07-20T10:00:00.000Z', keeps_port: true, overrides: [] };

let state: TempDir;
let path: string;
beforeEach(() => {
  state = tempDir('retired');
  path = join(state.path, 'retired.json');
});
afterEach(() => state[Symbol.dispose]());

const loaded = async () => {
  const tunnels = new RetiredTunnels(retiredFile(state.path), createLogger({ level: 'fatal' }));
  await tunnels.load();
  return tunnels;
};

describe(RetiredTunnels, () => {
  it('takes an entry back when the second look finds a reason against it', async () => {
    const tunnels = await loaded();
    const used = async () => {
      throw new Error('a client came');
    };
    await expect(tunnels.add('hub', RETIRED, used)).rejects.toThrow('a client came');
    expect([tunnels.names, (await loaded()).names]).toEqual([[], []]);
  });

  it('remembers a retired tunnel after a restart, until the tunnel is removed', async () => {
    await (await loaded()).add('hub', RETIRED);
    const again = await loaded();
    expect(again.of('hub')).toEqual(RETIRED);
    await again.remove(['hub']);
    expect((await loaded()).names).toEqual([]);
  });
});

describe('a retired name in a changed configuration', () => {
  const BEFORE = { listen: '127.0.0.1:2000', target: 't:1', host: 'there' };
  const tunnelsWith = (own: Partial<typeof BEFORE>) => {
    const yaml = stringify({
      version: 1,
      node: 'there',
      hosts: { there: { address: 'a', user: 'u' }, elsewhere: { address: 'b', user: 'u' } },
      actors: { 'agt-key': { key: 'k' } },
      tunnels: { hub: { ...BEFORE, ...own, actor: 'agt-key' } },
    });
    return parseConfig(Buffer.from(yaml), 'f.yaml', { HOME: '/h' }).tunnels;
  };
  const retiredAs = async (keepsPort: boolean) => {
    const [hub] = tunnelsWith({}).values();
    await (await loaded()).add('hub', { ...RETIRED, keeps_port: keepsPort, ...(hub && { place: placeOf(hub) }) });
    return loaded();
  };

  it.each<[string, Partial<typeof BEFORE>, boolean, boolean]>([
    ['the same tunnel', {}, true, true],
    ['another listener', { listen: '127.0.0.1:2009' }, true, false],
    ['another target', { target: 't:2' }, true, false],
    ['another host', { host: 'elsewhere' }, true, false],
    ['another listener and target', { listen: '127.0.0.1:2009', target: 't:2' }, false, false],
    ['another listener and host', { listen: '127.0.0.1:2009', host: 'elsewhere' }, false, false],
  ])('with %s stays retired with its port (%j: %s), and without (%s)', async (_, change, withPort, without) => {
    for (const [keepsPort, stays] of [
      [true, withPort],
      [false, without],
    ] as const) {
      const tunnels = await retiredAs(keepsPort);
      expect(tunnels.endWhereOther(tunnelsWith(change))).toEqual(stays ? [] : ['hub']);
      await tunnels.keepChanges();
      expect((await loaded()).names).toEqual(stays ? ['hub'] : []);
    }
  });

  it('of an earlier version is compared with the tunnels before a reload', async () => {
    await (await loaded()).add('hub', RETIRED);
    const tunnels = await loaded();
    const after = tunnelsWith({ listen: '127.0.0.1:2009', target: 't:2' });
    expect(tunnels.endWhereOther(after)).toEqual([]);
    expect(tunnels.endWhereOther(after, tunnelsWith({}))).toEqual(['hub']);
  });
});

describe('retired.json in another layout', () => {
  it('reads a file that was formatted by hand', async () => {
    writeFileSync(path, `${JSON.stringify({ version: 1, tunnels: { hub: RETIRED } }, null, 2)}\n`);
    expect((await loaded()).of('hub')).toEqual(RETIRED);
  });
});

describe('a disk that answers too late', () => {
  it('restores the file of before when a write reports failure too late', async () => {
    const disk = new StateDisk([state.path], 'retired.json');
    let late = true;
    const change = async (text: string | undefined) => {
      await disk.change(text);
      if (late) throw new TunnelError('state_dir_unusable', 'the state directory did not answer');
    };
    const file = retiredFile(state.path, () => ({ read: () => disk.read(), change }));
    const tunnels = new RetiredTunnels(file, createLogger({ level: 'fatal' }));
    await tunnels.load();
    const added = tunnels.add('hub', RETIRED);
    await expect(added).rejects.toMatchObject({ code: 'state_dir_unusable' });
    late = false;
    await waitUntil('the file is as before', async () => (await loaded()).names.length === 0 || undefined);
    expect(tunnels.names).toEqual([]);
  });
});

describe('an invalid retired.json', () => {
  it.each([
    ['not JSON', '{"version":1,"tunn'],
    ['of another version', '{"version":2,"tunnels":{}}'],
  ])('retires no tunnel, reports and never overwrites a file that is %s', async (_, text) => {
    writeFileSync(path, text);
    const tunnels = await loaded();
    expect([tunnels.names, tunnels.trouble]).toEqual([[], expect.stringContaining(path)]);
    await expect(tunnels.add('hub', RETIRED)).rejects.toMatchObject({ code: 'state_dir_unusable' });
    expect([tunnels.names, readFileSync(path, 'utf8')]).toEqual([[], text]);
  });
});
