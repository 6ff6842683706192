import { chmodSync, chownSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { privateDirectory } from '../../../../src/base/files/private-directory.ts';
import { has } from '../../../support/machine/capabilities.ts';
import { tempDir } from '../../../support/machine/temp-dir.ts';

function directory(): string {
  const dir = tempDir('state');
  onTestFinished(() => dir[Symbol.dispose]());
  return dir.path;
}

const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8);

const unusable = (message: RegExp) => ({ code: 'state_dir_unusable', message: expect.stringMatching(message) });

test('creates missing directories, accessible only to their owner', async () => {
  const root = join(directory(), 'state', 'fleet-mesh');
  expect(await privateDirectory(root, 'certificates', 'atm')).toBe(join(root, 'certificates', 'atm'));
  for (const path of [join(root, '..'), root, join(root, 'certificates'), join(root, 'certificates', 'atm')]) {
    expect(modeOf(path)).toBe('700');
  }
});

test('accepts a directory that others may read (StateDirectory=) and a symbolic link (DynamicUser=)', async () => {
  const dir = directory();
  const real = join(dir, 'private');
  mkdirSync(real, { mode: 0o755 });
  chmodSync(real, 0o755);
  symlinkSync(real, join(dir, 'link'));
  await expect(privateDirectory(join(dir, 'link'))).resolves.toBe(join(dir, 'link'));
});

test.each([0o777, 0o1777, 0o770, 0o702])('rejects a directory that others may write (mode %o)', async (mode) => {
  const root = join(directory(), 'state');
  mkdirSync(root);
  chmodSync(root, mode);
  await expect(privateDirectory(root, 'certificates')).rejects.toMatchObject(
    unusable(/state is writable by other users/),
  );
});

test('rejects a subdirectory that others may write or that is a symbolic link', async () => {
  const root = directory();
  mkdirSync(join(root, 'open'));
  chmodSync(join(root, 'open'), 0o777);
  await expect(privateDirectory(root, 'open')).rejects.toMatchObject(unusable(/open is writable by other users/));
  symlinkSync('/tmp', join(root, 'link'));
  await expect(privateDirectory(root, 'link', 'a')).rejects.toMatchObject(unusable(/link is not a directory/));
});

test('rejects a path that is a file or lies below a file', async () => {
  const file = join(directory(), 'file');
  writeFileSync(file, '');
  await expect(privateDirectory(file)).rejects.toMatchObject(unusable(/is not a directory/));
  await expect(privateDirectory(join(file, 'state'))).rejects.toMatchObject(unusable(/not a directory/));
});

test.skipIf(!has('root'))('rejects a directory of another user', async () => {
  const root = join(directory(), 'state');
  mkdirSync(root, { mode: 0o700 });
  chownSync(root, 65_534, 65_534);
  await expect(privateDirectory(root)).rejects.toMatchObject(unusable(/belongs to another user/));
});
