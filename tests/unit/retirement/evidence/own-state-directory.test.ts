import { readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { ownStateDirectory } from '../../../../src/retirement/evidence/lock.ts';
import { type TempDir, tempDir } from '../../../support/machine/temp-dir.ts';

let state: TempDir;
const lock = () => join(state.path, 'events.lock');

beforeEach(() => {
  state = tempDir('state-owner');
  onTestFinished(() => state[Symbol.dispose]());
});

test('names this process in the lock, and gives the directory back', async () => {
  const release = await ownStateDirectory(state.path);
  expect(readlinkSync(lock())).toMatch(new RegExp(`^${process.pid} `));
  await release?.();
  expect(() => readlinkSync(lock())).toThrow('ENOENT');
});

test('takes over from an owner that has ended', async () => {
  symlinkSync('999999999 1 gone', lock());
  expect(await ownStateDirectory(state.path)).toBeTypeOf('function');
  expect(readlinkSync(lock())).toMatch(new RegExp(`^${process.pid} `));
});

test('does without the lock where the directory is unusable, or does not answer in time', async () => {
  writeFileSync(join(state.path, 'file'), '');
  expect(await ownStateDirectory(join(state.path, 'file'))).toBeUndefined();
  expect(await ownStateDirectory(state.path, 0)).toBeUndefined();
});
