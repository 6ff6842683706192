import { chmodSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { parseConfig } from '../../../../src/config/load.ts';
import { refusedFiles } from '../../../../src/tunnels/link/refused-files.ts';
import { generateKey } from '../../../support/certificates/keys.ts';
import { has } from '../../../support/machine/capabilities.ts';
import { type TempDir, tempDir } from '../../../support/machine/temp-dir.ts';
import { hashedName } from '../../../support/peers/hashed-known-hosts.ts';

describe.skipIf(!has('ssh-keygen'))(refusedFiles, () => {
  let temp: TempDir;
  let publicKey: string;
  beforeEach(() => {
    temp = tempDir('refused-files');
    publicKey = generateKey(join(temp.path, 'key')).publicKey;
    write('known_hosts', `${hashedName('[target.example]:2222')} ${publicKey}\n`);
  });
  afterEach(() => temp[Symbol.dispose]());

  function write(name: string, text: string, mode = 0o600): string {
    const path = join(temp.path, name);
    writeFileSync(path, text);
    chmodSync(path, mode);
    return path;
  }

  const refused = (host: object = {}, actor: object = {}, more: object = {}) => {
    const text = stringify({
      version: 1,
      node: 'here',
      ...more,
      hosts: {
        here: { address: '127.0.0.1' },
        target: { address: 'target.example', port: 2222, user: 'u', known_hosts: './known_hosts', ...host },
        unused: { address: 'unused.example', user: 'u', known_hosts: './known_hosts' },
      },
      actors: { one: { key: './key', ...actor } },
      tunnels: {
        tunnel: { host: 'target', actor: 'one', direction: 'local', listen: '127.0.0.1:18000', target: '127.0.0.1:1' },
      },
    });
    return refusedFiles(parseConfig(Buffer.from(text), join(temp.path, 'tunnels.yaml'), process.env));
  };

  it('has nothing to say about good files, about missing ones, and about hosts that no tunnel uses', async () => {
    expect(await refused()).toEqual([]);
    expect(await refused({ known_hosts: './missing' }, { key: './missing' })).toEqual([]);
  });

  it.each([0o644, 0o640, 0o620])('warns about a private key of mode %o, which the daemon refuses', async (mode) => {
    chmodSync(join(temp.path, 'key'), mode);
    symlinkSync('key', join(temp.path, 'link'));
    for (const key of ['./key', './link'])
      expect(await refused({}, { key })).toEqual([
        { path: 'actors.one.key', message: expect.stringMatching(/readable or writable by other users.*chmod 600/) },
      ]);
  });

  it('warns about the token file of a webhook that others can read', async () => {
    write('token', 'secret', 0o644);
    const notify = [{ webhook: 'http://127.0.0.1:1/', events: ['advisory'], secret_file: './token' }];
    expect(await refused({}, {}, { notify })).toEqual([
      { path: 'notify[0].secret_file', message: expect.stringMatching(/readable or writable by other users/) },
    ]);
  });

  it('warns about a passphrase file that others can read', async () => {
    write('passphrase', 'secret', 0o644);
    expect(await refused({}, { passphrase_file: './passphrase' })).toMatchObject([
      { path: 'actors.one.passphrase_file' },
    ]);
  });

  it.each([
    ['another port', { port: 22 }],
    ['another name', { address: 'other.example' }],
  ])('warns about known_hosts that has only %s', async (_, host) => {
    expect(await refused(host)).toEqual([
      { path: 'hosts.target.known_hosts', message: expect.stringMatching(/no host key is known for .*ssh-keyscan/) },
    ]);
  });

  it('warns about known_hosts without a usable line', async () => {
    write('known_hosts', 'broken\n');
    expect(await refused()).toEqual([
      { path: 'hosts.target.known_hosts', message: expect.stringContaining('has no usable line') },
    ]);
  });

  it('is content with a CA for the host', async () => {
    write('known_hosts', `@cert-authority *.example ${publicKey}\n`);
    expect(await refused({ port: 22 })).toEqual([]);
  });
});
