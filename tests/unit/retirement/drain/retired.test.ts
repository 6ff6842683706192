import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RetiredTunnels } from '../../../../src/retirement/drain/retired.ts';
import { createLogger } from '../../../../src/telemetry/log/log.ts';
import { type TempDir, tempDir } from '../../../support/machine/temp-dir.ts';

const RETIRED = { at: '2026-07-20T10:00:00.000Z', keeps_port: true, overrides: [] };

let state: TempDir;
let path: string;
beforeEach(() => {
  state = tempDir('retired');
  path = join(state.path, 'retired.json');
});
afterEach(() => state[Symbol.dispose]());

const loaded = async () => {
  const tunnels = new RetiredTunnels(state.path, createLogger({ level: 'fatal' }));
  await tunnels.load();
  return tunnels;
};

describe('a retired tunnel', () => {
  it('is one after a restart as well, until it is taken back', async () => {
    await (await loaded()).add('hub', RETIRED);
    const again = await loaded();
    expect(again.of('hub')).toEqual(RETIRED);
    await again.remove(['hub']);
    expect((await loaded()).names).toEqual([]);
  });
});

describe('a file that cannot be used', () => {
  it.each([
    ['is no JSON', '{"version":1,"tunn'],
    ['is of another version', '{"version":2,"tunnels":{}}'],
  ])('because it %s retires nobody, is told, and is never written over', async (_, text) => {
    writeFileSync(path, text);
    const tunnels = await loaded();
    expect([tunnels.names, tunnels.trouble]).toEqual([[], expect.stringContaining(path)]);
    await expect(tunnels.add('hub', RETIRED)).rejects.toMatchObject({ code: 'state_dir_unusable' });
    expect([tunnels.names, readFileSync(path, 'utf8')]).toEqual([[], text]);
  });
});
