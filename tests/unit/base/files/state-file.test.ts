import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { StateFile } from '../../../../src/base/files/state-file.ts';
import { tempDir } from '../../../support/machine/temp-dir.ts';

function stateFile() {
  const directory = tempDir('state-file');
  onTestFinished(() => directory[Symbol.dispose]());
  return new StateFile([directory.path, 'below'], 'count.json', z.object({ count: z.int() }));
}

const unusable = expect.objectContaining({ code: 'state_dir_unusable' });

test('reads a missing file as undefined', async () => {
  expect(await stateFile().read()).toBeUndefined();
});

test('reads the written content from a file that only its owner can read', async () => {
  const file = stateFile();
  await file.write({ count: 3 });
  expect(await file.read()).toEqual({ count: 3 });
  expect(statSync(file.path).mode & 0o777).toBe(0o600);
});

test.each([['{"count":'], ['{"count":"3"}'], ['']])(
  'rejects a file with the content %j and does not change the file',
  async (text) => {
    const file = stateFile();
    mkdirSync(dirname(file.path), { mode: 0o700 });
    writeFileSync(file.path, text);
    await expect(file.read()).rejects.toEqual(unusable);
    expect(readFileSync(file.path, 'utf8')).toBe(text);
  },
);

test('writes in the order of the calls', async () => {
  const file = stateFile();
  await Promise.all([1, 2, 3, 4].map((count) => file.write({ count })));
  expect(await file.read()).toEqual({ count: 4 });
});

test('does not change other files of the same directory', async () => {
  const directory = tempDir('state-file');
  onTestFinished(() => directory[Symbol.dispose]());
  const schema = z.object({ count: z.int() });
  const files = ['a', 'b', 'c', 'd'].map((name) => new StateFile([directory.path], `${name}.json`, schema));
  for (let count = 0; count < 20; count++) await Promise.all(files.map((file) => file.write({ count })));
  expect(await Promise.all(files.map((file) => file.read()))).toEqual(files.map(() => ({ count: 19 })));
});

test('rejects a write that takes too long, and still finishes the write in order', async () => {
  const file = stateFile();
  await expect(file.write({ count: 1 }, { withinMs: 0 })).rejects.toEqual(unusable);
  await file.write({ count: 2 });
  expect(await file.read()).toEqual({ count: 2 });
});

test('rejects a write if the directory is a file', async () => {
  const directory = tempDir('state-file');
  onTestFinished(() => directory[Symbol.dispose]());
  writeFileSync(join(directory.path, 'below'), '');
  const file = new StateFile([directory.path, 'below'], 'count.json', z.object({ count: z.int() }));
  await expect(file.write({ count: 1 })).rejects.toEqual(unusable);
});

test('recreates a directory that was removed meanwhile', async () => {
  const file = stateFile();
  await file.write({ count: 1 });
  rmSync(dirname(file.path), { recursive: true });
  await file.write({ count: 2 });
  expect(await file.read()).toEqual({ count: 2 });
});

test('removes the file, and accepts a missing file', async () => {
  const file = stateFile();
  await file.write({ count: 1 });
  await file.forget();
  await file.forget();
  expect(existsSync(file.path)).toBe(false);
});
