import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { StateDisk } from '../../../../src/base/files/state-disk.ts';
import { CutoverStore } from '../../../../src/retirement/cutover/store.ts';
import { tempDir } from '../../../support/machine/temp-dir.ts';
import { waitUntil } from '../../../support/wait-until.ts';

test('restores a removed file and removes a foreign one, without a look for the files of other tunnels', async () => {
  using state = tempDir('cutover-store');
  const looks: string[] = [];
  const store = new CutoverStore(state.path, (place, name) => {
    const disk = new StateDisk(place, name);
    return {
      read: () => {
        looks.push(name);
        return disk.read();
      },
      change: (text) => disk.change(text),
    };
  });
  for (const tunnel of ['moved', 'foreign', 'other']) await store.read(tunnel);
  const since = '2026-01-01T00:00:00.000Z';
  const successor = '127.0.0.1:1';
  await store.write({ version: 1, tunnel: 'moved', phase: 'committed', since, reason: null, successor });
  const path = (tunnel: string) => join(state.path, 'cutover', `${tunnel}.json`);
  rmSync(path('moved'));
  writeFileSync(path('foreign'), '{}');
  looks.length = 0;

  expect((await store.restore()).sort()).toEqual([path('foreign'), path('moved')]);

  expect(looks.sort()).toEqual(['foreign.json', 'moved.json']);
  await waitUntil('the directory is as before', () =>
    existsSync(path('foreign')) ? undefined : existsSync(path('moved')) || undefined,
  );
  expect(readdirSync(join(state.path, 'cutover')).filter((name) => name.endsWith('.json'))).toEqual(['moved.json']);
});
