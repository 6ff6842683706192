import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { privateDirectory } from '../../../../src/base/files/private-directory.ts';
import { isLeftOver, writeAtomically } from '../../../../src/base/files/write-atomically.ts';
import { tempDir } from '../../../support/machine/temp-dir.ts';

function directory(): string {
  const dir = tempDir('state');
  onTestFinished(() => dir[Symbol.dispose]());
  return dir.path;
}

test('writes the whole file with mode 0600, also with umask 0, and leaves nothing else', async () => {
  const dir = directory();
  const before = process.umask(0);
  onTestFinished(() => void process.umask(before));
  await writeAtomically(join(dir, 'a'), 'one');
  await writeAtomically(join(dir, 'a'), Buffer.from('two'));
  expect(readFileSync(join(dir, 'a'), 'utf8')).toBe('two');
  expect(statSync(join(dir, 'a')).mode & 0o777).toBe(0o600);
  expect(readdirSync(dir)).toEqual(['a']);
});

test('sets the requested mode regardless of the umask', async () => {
  const dir = directory();
  const before = process.umask(0o077);
  onTestFinished(() => void process.umask(before));
  await writeAtomically(join(dir, 'a'), '', 0o644);
  expect(statSync(join(dir, 'a')).mode & 0o777).toBe(0o644);
});

test('lets readers see only the whole old file or the whole new file', async () => {
  const path = join(directory(), 'a');
  const contents = ['x', 'y'].map((letter) => letter.repeat(100_000));
  await writeAtomically(path, contents[0] ?? '');
  let writing = true;
  const reads = (async () => {
    while (writing) {
      expect(contents).toContain(readFileSync(path, 'utf8'));
      await new Promise((resolve) => setImmediate(resolve));
    }
  })();
  for (let round = 0; round < 20; round++) await writeAtomically(path, contents[round % 2] ?? '');
  writing = false;
  await reads;
});

test('keeps concurrent writers apart', async () => {
  const dir = directory();
  await Promise.all(
    Array.from({ length: 20 }, (_, index) => writeAtomically(join(dir, 'a'), `${index}`.repeat(10_000))),
  );
  expect(readFileSync(join(dir, 'a'), 'utf8')).toMatch(/^(\d+)\1*$/);
  expect(readdirSync(dir)).toEqual(['a']);
});

test('rejects a failed write with state_dir_unusable, keeps the old content and leaves nothing behind', async () => {
  const dir = directory();
  await expect(writeAtomically(join(dir, 'gone', 'a'), 'x')).rejects.toMatchObject({ code: 'state_dir_unusable' });
  await privateDirectory(dir, 'taken');
  await expect(writeAtomically(join(dir, 'taken'), 'x')).rejects.toMatchObject({ code: 'state_dir_unusable' });
  expect(readdirSync(dir)).toEqual(['taken']);
});

test('recognises only leftovers of interrupted writes for removal at the next start', async () => {
  const dir = directory();
  const left = '.current.pub.0123456789ab.tmp';
  expect(isLeftOver(left)).toBe(true);
  for (const name of [left, 'current.pub', '.hidden', 'x.tmp']) writeFileSync(join(dir, name), '');
  await privateDirectory(dir);
  expect(readdirSync(dir).sort()).toEqual(['.hidden', 'current.pub', 'x.tmp']);
});
