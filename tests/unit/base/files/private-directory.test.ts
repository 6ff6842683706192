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

test('makes what is missing, for nobody else', async () => {
  const root = join(directory(), 'state', 'fleet-mesh');
  expect(await privateDirectory(root, 'certificates', 'atm')).toBe(join(root, 'certificates', 'atm'));
  for (const path of [join(root, '..'), root, join(root, 'certificates'), join(root, 'certificates', 'atm')]) {
    expect(modeOf(path)).toBe('700');
  }
});

test("takes one that others may read, as systemd's StateDirectory= makes it, or that is a symbolic link of DynamicUser=", async () => {
  const dir = directory();
  const real = join(dir, 'private');
  mkdirSync(real, { mode: 0o755 });
  chmodSync(real, 0o755);
  symlinkSync(real, join(dir, 'link'));
  await expect(privateDirectory(join(dir, 'link'))).resolves.toBe(join(dir, 'link'));
});

test.each([0o777, 0o1777, 0o770, 0o702])('refuses one that others may write (mode %o)', async (mode) => {
  const root = join(directory(), 'state');
  mkdirSync(root);
  chmodSync(root, mode);
  await expect(privateDirectory(root, 'certificates')).rejects.toMatchObject(
    unusable(/state may be written by other users/),
  );
});

test('refuses one below it that others may write, or that is a link elsewhere', async () => {
  const root = directory();
  mkdirSync(join(root, 'open'));
  chmodSync(join(root, 'open'), 0o777);
  await expect(privateDirectory(root, 'open')).rejects.toMatchObject(unusable(/open may be written by other users/));
  symlinkSync('/tmp', join(root, 'link'));
  await expect(privateDirectory(root, 'link', 'a')).rejects.toMatchObject(unusable(/link is not a directory/));
});

test('refuses what is no directory, above or at its place', async () => {
  const file = join(directory(), 'file');
  writeFileSync(file, '');
  await expect(privateDirectory(file)).rejects.toMatchObject(unusable(/is not a directory/));
  await expect(privateDirectory(join(file, 'state'))).rejects.toMatchObject(unusable(/not a directory/));
});

test.skipIf(!has('root'))("refuses another user's", async () => {
  const root = join(directory(), 'state');
  mkdirSync(root, { mode: 0o700 });
  chownSync(root, 65_534, 65_534);
  await expect(privateDirectory(root)).rejects.toMatchObject(unusable(/belongs to another user/));
});
