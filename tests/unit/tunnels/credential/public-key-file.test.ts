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

  it('derives it from the private key, where the command may write beside it', async () => {
    const path = await write();
    expect(path).toBe(join(directory, 'atm.pub'));
    expect(readFileSync(path, 'utf8')).toBe(`${publicKey} atm\n`);
    expect(statSync(path).mode & 0o777).toBe(0o644);
    expect(existsSync(`${keyPath}.pub`)).toBe(false);
  });

  it('keeps the comment of the public key file that is there', async () => {
    writeFileSync(`${keyPath}.pub`, `${publicKey}  a comment\n`);
    expect(readFileSync(await write(), 'utf8')).toBe(`${publicKey}  a comment\n`);
  });

  it.each([
    ['of another key', `${generatedKey().public}\n`],
    ['no public key at all', 'hello\n'],
    ['empty', ''],
  ])('refuses a public key file that is %s', async (_, content) => {
    writeFileSync(`${keyPath}.pub`, content);
    await expect(write()).rejects.toMatchObject({
      code: 'key_unreadable',
      message: `${keyPath}.pub is not the public half of ${keyPath}`,
      hint: expect.stringContaining('ssh-keygen -y'),
    });
  });

  it('derives it when the public key file cannot be read', async () => {
    mkdirSync(`${keyPath}.pub`);
    expect(readFileSync(await write(), 'utf8')).toBe(`${publicKey} atm\n`);
  });

  it('removes the certificate of the run before, which some commands refuse to replace', async () => {
    writeFileSync(join(directory, 'atm-cert.pub'), 'old');
    await write();
    expect(readdirSync(directory)).toEqual(['atm.pub']);
  });
});
