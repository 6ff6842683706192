import { mkdirSync, readdirSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { CertificateStore } from '../../../../src/tunnels/credential/certificate-store.ts';
import { tempDir } from '../../../support/machine/temp-dir.ts';
import { waitUntil } from '../../../support/wait-until.ts';

const LINE = 'ssh-ed25519-cert-v01@openssh.com AAAA comment';

function newStore(): CertificateStore {
  const dir = tempDir('store');
  onTestFinished(() => dir[Symbol.dispose]());
  return new CertificateStore(join(dir.path, 'state'), 'atm');
}

test('loads nothing and creates nothing before the first certificate', async () => {
  const store = newStore();
  expect(await store.load()).toBeUndefined();
  expect(() => statSync(store.directory)).toThrow(/ENOENT/);
});

test('loads the certificate saved last, from a file with mode 0600', async () => {
  const store = newStore();
  await store.save('old');
  await store.save(`  ${LINE}\r\n`);
  expect(await store.load()).toBe(`${LINE}\n`);
  expect(statSync(store.path).mode & 0o777).toBe(0o600);
  expect(statSync(store.directory).mode & 0o777).toBe(0o700);
  expect(readdirSync(store.directory)).toEqual(['current.pub']);
});

test('checks that the directory is writable, and leaves no file', async () => {
  const store = newStore();
  await store.checkWritable();
  expect(readdirSync(store.directory)).toEqual([]);
});

test('says that a certificate is unwritten, and writes the newest as soon as the disk takes it', async () => {
  const store = newStore();
  mkdirSync(store.path, { recursive: true, mode: 0o700 });
  await expect(store.save('old')).rejects.toMatchObject({ code: 'state_dir_unusable' });
  await expect(store.save(LINE)).rejects.toMatchObject({ code: 'state_dir_unusable' });
  expect(store.unwritten).toMatchObject({ path: store.path, since: expect.any(Date) });
  rmSync(store.path, { recursive: true });
  await waitUntil('the certificate is written', () => store.unwritten === undefined);
  expect(await store.load()).toBe(`${LINE}\n`);
});

test('rejects with state_dir_unusable when the directory or the file has the wrong type', async () => {
  const store = newStore();
  mkdirSync(store.path, { recursive: true, mode: 0o700 });
  const refusal = { code: 'state_dir_unusable' };
  await expect(store.load()).rejects.toMatchObject(refusal);
  await expect(store.save(LINE)).rejects.toMatchObject(refusal);
  rmSync(store.directory, { recursive: true });
  symlinkSync('/dev/null', store.directory);
  await expect(store.load()).rejects.toMatchObject(refusal);
  await expect(store.checkWritable()).rejects.toMatchObject(refusal);
});
