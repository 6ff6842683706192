import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadKeyFile } from '../../../../src/tunnels/credential/key-file.ts';
import { has } from '../../../support/machine/capabilities.ts';

const PASSPHRASE = 'correct horse';

describe.skipIf(!has('ssh-keygen'))('key files made by ssh-keygen', () => {
  let directory: string;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'key-file-'));
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  const make = (name: string, ...args: string[]) => {
    const path = join(directory, name);
    execFileSync('ssh-keygen', [
      '-q',
      '-C',
      'comment',
      '-f',
      path,
      ...(args.includes('-N') ? [] : ['-N', '']),
      ...args,
    ]);
    return path;
  };
  const secret = (name: string, text: string, mode = 0o600) => {
    const path = join(directory, name);
    writeFileSync(path, text);
    chmodSync(path, mode);
    return path;
  };
  const keygenFingerprint = (path: string) =>
    execFileSync('ssh-keygen', ['-lf', `${path}.pub`])
      .toString()
      .split(' ')[1];

  test.each([
    ['ed25519', ['-t', 'ed25519'], 'ssh-ed25519'],
    ['ecdsa 256', ['-t', 'ecdsa', '-b', '256'], 'ecdsa-sha2-nistp256'],
    ['ecdsa 384', ['-t', 'ecdsa', '-b', '384'], 'ecdsa-sha2-nistp384'],
    ['ecdsa 521', ['-t', 'ecdsa', '-b', '521'], 'ecdsa-sha2-nistp521'],
    ['rsa', ['-t', 'rsa', '-b', '2048'], 'ssh-rsa'],
    ['rsa in PEM', ['-t', 'rsa', '-b', '2048', '-m', 'PEM'], 'ssh-rsa'],
    ['ecdsa in PEM', ['-t', 'ecdsa', '-m', 'PEM'], 'ecdsa-sha2-nistp256'],
  ])('reads a %s key, plain and encrypted', async (name, args, type) => {
    const clear = make(`${name}-clear`, ...args);
    expect(await loadKeyFile(clear)).toMatchObject({ type, fingerprint: keygenFingerprint(clear) });

    const sealed = make(`${name}-sealed`, ...args, '-N', PASSPHRASE);
    const passphrase = secret(`${name}-passphrase`, `${PASSPHRASE}\n`);
    expect(await loadKeyFile(sealed, passphrase)).toMatchObject({ type, fingerprint: keygenFingerprint(sealed) });
    await expect(loadKeyFile(sealed)).rejects.toMatchObject({
      code: 'key_unreadable',
      message: expect.stringContaining('is encrypted, but no passphrase_file'),
    });
    const wrong = secret(`${name}-wrong`, 'battery staple');
    await expect(loadKeyFile(sealed, wrong)).rejects.toMatchObject({
      code: 'key_unreadable',
      message: expect.stringContaining('does not decrypt'),
    });
  });

  test.each(['aes256-ctr', 'aes256-cbc', 'aes192-ctr', 'aes128-gcm@openssh.com', 'aes256-gcm@openssh.com', '3des-cbc'])(
    'reads a key that is encrypted with %s',
    async (cipher) => {
      const path = make(`with-${cipher}`, '-t', 'ed25519', '-Z', cipher, '-N', PASSPHRASE);
      const key = await loadKeyFile(path, secret(`${cipher}-passphrase`, PASSPHRASE));
      expect(key.fingerprint).toBe(keygenFingerprint(path));
    },
  );

  test('names a cipher that is not supported instead of the passphrase, which is right', async () => {
    const path = make('chacha', '-t', 'ed25519', '-Z', 'chacha20-poly1305@openssh.com', '-N', PASSPHRASE);
    await expect(loadKeyFile(path, secret('chacha-passphrase', PASSPHRASE))).rejects.toMatchObject({
      code: 'key_unreadable',
      message: `private key ${path} is encrypted with chacha20-poly1305@openssh.com, which is not supported`,
      hint: expect.stringContaining(`ssh-keygen -p -f ${path}`),
    });
    execFileSync('ssh-keygen', ['-p', '-P', PASSPHRASE, '-N', PASSPHRASE, '-f', path], { stdio: 'ignore' });
    await expect(loadKeyFile(path, secret('chacha-passphrase', PASSPHRASE))).resolves.toBeDefined();
  });

  test('names a cipher of a PEM key that is not supported', async () => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const pem = privateKey.export({ type: 'pkcs1', format: 'pem', cipher: 'camellia-256-cbc', passphrase: PASSPHRASE });
    const path = secret('camellia', `${pem}`);
    await expect(loadKeyFile(path, secret('camellia-passphrase', PASSPHRASE))).rejects.toMatchObject({
      message: `private key ${path} is encrypted with CAMELLIA-256-CBC, which is not supported`,
    });
  });

  test('names the type as the fault of a key on another curve, not its passphrase', async () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'secp256k1' });
    const pem = privateKey.export({ type: 'sec1', format: 'pem', cipher: 'aes-128-cbc', passphrase: PASSPHRASE });
    const path = secret('curve', `${pem}`);
    await expect(loadKeyFile(path, secret('curve-passphrase', PASSPHRASE))).rejects.toMatchObject({
      message: `private key ${path} has a type that is not supported`,
    });
    await expect(loadKeyFile(path, secret('curve-wrong', 'battery staple'))).rejects.toMatchObject({
      message: expect.stringContaining('does not decrypt'),
    });
  });

  test('removes only one trailing newline from a passphrase', async () => {
    const sealed = make('newline', '-t', 'ed25519', '-N', PASSPHRASE);
    await expect(loadKeyFile(sealed, secret('two', `${PASSPHRASE}\n\n`))).rejects.toMatchObject({
      code: 'key_unreadable',
    });
    await expect(loadKeyFile(sealed, secret('none', PASSPHRASE))).resolves.toBeDefined();
  });

  test('requires the same permissions for a passphrase file', async () => {
    const sealed = make('open-passphrase', '-t', 'ed25519', '-N', PASSPHRASE);
    const exposed = secret('exposed', PASSPHRASE, 0o644);
    await expect(loadKeyFile(sealed, exposed)).rejects.toMatchObject({
      code: 'key_permissions',
      message: expect.stringContaining(`passphrase file ${exposed}`),
    });
  });

  test.each([0o640, 0o644, 0o620, 0o604])(
    'rejects mode %o, and accepts the key after the chmod of the hint',
    async (mode) => {
      const path = make(`mode-${mode}`, '-t', 'ed25519');
      chmodSync(path, mode);
      const error: unknown = await loadKeyFile(path).catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code: 'key_permissions', hint: expect.stringContaining(`chmod 600 ${path}`) });
      chmodSync(path, 0o600);
      await expect(loadKeyFile(path)).resolves.toBeDefined();
    },
  );

  test.skipIf(!has('root'))("rejects another user's key", async () => {
    const path = make('foreign', '-t', 'ed25519');
    chownSync(path, 12_345, 12_345);
    await expect(loadKeyFile(path)).rejects.toMatchObject({
      code: 'key_permissions',
      hint: expect.stringContaining(`chown 0 ${path}`),
    });
  });

  test('accepts a systemd credential (0400, our user) and a symbolic link to a key', async () => {
    const path = make('credential', '-t', 'ed25519');
    chmodSync(path, 0o400);
    await expect(loadKeyFile(path)).resolves.toBeDefined();
    const link = join(directory, 'link');
    symlinkSync(path, link);
    await expect(loadKeyFile(link)).resolves.toBeDefined();
  });

  test('names a public key as the fault, with any mode', async () => {
    const path = make('halves', '-t', 'ed25519');
    await expect(loadKeyFile(`${path}.pub`)).rejects.toMatchObject({
      code: 'key_unreadable',
      message: expect.stringContaining('is a public key, not a private key'),
    });
  });

  test('rejects PKCS#8 with the command that converts the key', async () => {
    const path = make('pkcs8', '-t', 'rsa', '-b', '2048', '-m', 'PKCS8');
    await expect(loadKeyFile(path)).rejects.toMatchObject({
      code: 'key_unreadable',
      message: expect.stringContaining('PKCS#8'),
      hint: expect.stringContaining(`ssh-keygen -p -f ${path}`),
    });
    execFileSync('ssh-keygen', ['-p', '-N', '', '-f', path], { stdio: 'ignore' });
    await expect(loadKeyFile(path)).resolves.toMatchObject({ type: 'ssh-rsa' });
  });

  test.each([
    ['missing', () => join(directory, 'nowhere'), 'does not exist'],
    ['a directory', () => directory, 'is a directory'],
    ['empty', () => secret('empty', ''), 'is empty'],
    ['too large', () => secret('large', 'x'.repeat(65_537)), 'is larger than 64 KiB'],
    ['not a key', () => secret('html', '<html>secret</html>'), 'is not a private key'],
    ['PuTTY', () => secret('ppk', 'PuTTY-User-Key-File-3: ssh-ed25519\n'), 'PuTTY'],
    ['a device', () => '/dev/null', 'is not a regular file'],
  ])('rejects with key_unreadable a key file that is %s', async (_, path, message) => {
    await expect(loadKeyFile(path())).rejects.toMatchObject({
      code: 'key_unreadable',
      message: expect.stringContaining(message),
    });
  });

  test('reads a key that has other text around, as ssh does', async () => {
    const path = make('among', '-t', 'ecdsa', '-m', 'PEM');
    const parameters = '-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n';
    const other = readFileSync(make('second', '-t', 'ed25519'), 'utf8');
    writeFileSync(path, `Bag Attributes\n${parameters}${readFileSync(path, 'utf8')}a remark\n${other}`);
    expect(await loadKeyFile(path)).toMatchObject({ fingerprint: keygenFingerprint(path) });
  });

  test('rejects a FIFO without a hang', async () => {
    const path = join(directory, 'fifo');
    execFileSync('mkfifo', ['-m', '600', path]);
    await expect(loadKeyFile(path)).rejects.toMatchObject({ message: expect.stringContaining('not a regular file') });
  });

  test('reports a damaged key without any of its content', async () => {
    const path = make('damaged', '-t', 'ed25519');
    const lines = readFileSync(path, 'utf8').split('\n');
    const body = lines[2] ?? '';
    writeFileSync(path, lines.toSpliced(2, 1).join('\n'));
    const error: unknown = await loadKeyFile(path).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'key_unreadable', message: expect.stringContaining('damaged') });
    expect(JSON.stringify(error)).not.toContain(body.slice(0, 16));
  });

  test('quotes a path with a blank in the command', async () => {
    mkdirSync(join(directory, 'my keys'));
    const path = make(join('my keys', 'key'), '-t', 'ed25519');
    chmodSync(path, 0o644);
    await expect(loadKeyFile(path)).rejects.toMatchObject({ hint: expect.stringContaining(`chmod 600 '${path}'`) });
  });

  test('decrypts a key once, and again when the key or its passphrase file has changed', async () => {
    const path = make('cached', '-N', PASSPHRASE);
    const passphrase = secret('cached.passphrase', PASSPHRASE);
    const first = await loadKeyFile(path, passphrase);
    expect(await loadKeyFile(path, passphrase)).toBe(first);

    chmodSync(path, 0o640);
    await expect(loadKeyFile(path, passphrase)).rejects.toMatchObject({ code: 'key_permissions' });
    chmodSync(path, 0o600);

    writeFileSync(passphrase, 'battery st');
    await expect(loadKeyFile(path, passphrase)).rejects.toMatchObject({ code: 'key_unreadable' });
    writeFileSync(passphrase, PASSPHRASE);
    expect(await loadKeyFile(path, passphrase)).toMatchObject({ fingerprint: first.fingerprint });

    rmSync(path);
    make('cached', '-N', PASSPHRASE);
    expect((await loadKeyFile(path, passphrase)).fingerprint).not.toBe(first.fingerprint);
  });
});
