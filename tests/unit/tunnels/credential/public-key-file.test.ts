import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { loadKeyFile } from '../../../../src/tunnels/credential/key-file.ts';
import { writePublicKeyFile } from '../../../../src/tunnels/credential/public-key-file.ts';
import { generatedKey } from '../../../support/certificates/generated-key.ts';
import { tempDir } from '../../../support/machine/temp-dir.ts';

describe(writePublicKeyFile, () => {
  const pair = generatedKey();
  const publicKey = pair.public.split(' ').slice(0, 2).join(' ');
  let keyPath = '';
  let directory = '';

  beforeEach(() => {
    const dir = tempDir('pubkey');
    onTestFinished(() => dir[Symbol.dispose]());
    keyPath = join(dir.path, 'key');
    directory = join(dir.path, 'state');
    mkdirSync(directory);
    writeFileSync(keyPath, pair.private, { mode: 0o600 });
  });

  const write = async () => writePublicKeyFile({ actor: 'atm', keyPath, key: await loadKeyFile(keyPath), directory });

  it('derives the public key from the private key, in a directory where the command may write', async () => {
    const path = await write();
    expect(path).toBe(join(directory, 'atm.pub'));
    expect(readFileSync(path, 'utf8')).toBe(`${publicKey} atm\n`);
    expect(statSync(path).mode & 0o777).toBe(0o644);
    expect(existsSync(`${keyPath}.pub`)).toBe(false);
  });

  it('keeps the comment of an existing public key file', async () => {
    writeFileSync(`${keyPath}.pub`, `${publicKey}  a comment\n`);
    expect(readFileSync(await write(), 'utf8')).toBe(`${publicKey}  a comment\n`);
  });

  it.each([
    ['of another key', `${generatedKey().public}\n`],
    ['not a public key', 'hello\n'],
    ['empty', ''],
  ])('refuses a public key file that is %s', async (_, content) => {
    writeFileSync(`${keyPath}.pub`, content);
    await expect(write()).rejects.toMatchObject({
      code: 'key_unreadable',
      message: `${keyPath}.pub is not the public half of ${keyPath}`,
      hint: expect.stringContaining('ssh-keygen -y'),
    });
  });

  it('derives the public key when the public key file is unreadable', async () => {
    mkdirSync(`${keyPath}.pub`);
    expect(readFileSync(await write(), 'utf8')).toBe(`${publicKey} atm\n`);
  });

  it('removes the certificate of the last run, which some commands do not replace', async () => {
    writeFileSync(join(directory, 'atm-cert.pub'), 'old');
    await write();
    expect(readdirSync(directory)).toEqual(['atm.pub']);
  });
});
