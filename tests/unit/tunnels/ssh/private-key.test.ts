import { generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decryptPrivateKey } from '../../../../src/tunnels/ssh/decrypt-key.ts';
import { keyFormat, parsePrivateKey, unsupportedIn } from '../../../../src/tunnels/ssh/private-key.ts';
import { fingerprint } from '../../../../src/tunnels/ssh/public-key.ts';
import { wireString } from '../../../../src/tunnels/ssh/wire.ts';
import { generatedKey } from '../../../support/certificates/generated-key.ts';

/** The clear part of an OpenSSH private key; the rest is missing. */
function opensshKey(cipher: string, derivation: string, type: string): string {
  const fields = [cipher, derivation, 'options'].map(wireString);
  const blob = [Buffer.from('openssh-key-v1\0'), ...fields, Buffer.from([0, 0, 0, 1]), wireString(wireString(type))];
  return `-----BEGIN OPENSSH PRIVATE KEY-----\n${Buffer.concat(blob).toString('base64')}\n`;
}

/** An encrypted key in PEM. */
function pem(kind: 'rsa' | 'ec', options: object, type: 'pkcs1' | 'sec1'): string {
  const { privateKey } = generateKeyPairSync(kind as 'rsa', options as { modulusLength: number });
  return `${privateKey.export({ type: type as 'pkcs1', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'secret' })}`;
}

test.each([
  ['ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 me@here', 'public'],
  ['ssh-ed25519-cert-v01@openssh.com AAAAIHNzaC1l', 'public'],
  ['---- BEGIN SSH2 PUBLIC KEY ----\n', 'public'],
  ['-----BEGIN PUBLIC KEY-----\n', 'public'],
  ['PuTTY-User-Key-File-3: ssh-ed25519\n', 'putty'],
  ['-----BEGIN PRIVATE KEY-----\n', 'pkcs8'],
  ['-----BEGIN ENCRYPTED PRIVATE KEY-----\n', 'pkcs8'],
  ['-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n', 'encrypted'],
  ['-----BEGIN EC PRIVATE KEY-----\nMHcC\n', 'private'],
  ['-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n', 'unknown'],
  ['<html>', 'unknown'],
  ['', 'unknown'],
])('recognises the header %j as %s', (text, format) => {
  expect(keyFormat(Buffer.from(text))).toBe(format);
});

test('detects an encrypted OpenSSH key by its cipher', () => {
  const clear = generatedKey();
  const sealed = generatedKey('p');
  expect(keyFormat(Buffer.from(clear.private))).toBe('private');
  expect(keyFormat(Buffer.from(sealed.private))).toBe('encrypted');
  expect(parsePrivateKey(Buffer.from(sealed.private), Buffer.from('p'))?.type).toBe('ssh-ed25519');
  expect(parsePrivateKey(Buffer.from(sealed.private), Buffer.from('q'))).toBeUndefined();
});

test('gives a parsed key the fingerprint of its public half', () => {
  const pair = generatedKey();
  const blob = Buffer.from(pair.public.split(' ')[1] ?? '', 'base64');
  expect(parsePrivateKey(Buffer.from(pair.private), undefined)?.fingerprint).toBe(fingerprint(blob));
  expect(parsePrivateKey(Buffer.from(pair.public), undefined)).toBeUndefined();
});

test.each([
  [opensshKey('none', 'none', 'ssh-ed25519'), undefined],
  [opensshKey('aes256-ctr', 'bcrypt', 'ssh-rsa'), undefined],
  [opensshKey('aes256-ctr', 'argon', 'ssh-rsa'), { what: 'cipher', name: 'argon' }],
  [
    opensshKey('chacha20-poly1305@openssh.com', 'bcrypt', 'ssh-rsa'),
    { what: 'cipher', name: 'chacha20-poly1305@openssh.com' },
  ],
  [opensshKey('none', 'none', 'sk-ssh-ed25519@openssh.com'), { what: 'type', name: 'sk-ssh-ed25519@openssh.com' }],
  [opensshKey('aes256-ctr', 'bcrypt', 'ssh-dss'), { what: 'type', name: 'ssh-dss' }],
  ['-----BEGIN DSA PRIVATE KEY-----\nMIIB', { what: 'type', name: 'ssh-dss' }],
  ['-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n', undefined],
  [
    '-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: SEED-CBC,00\n',
    { what: 'cipher', name: 'SEED-CBC' },
  ],
  ['-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n', { what: 'cipher', name: 'unknown' }],
])('names what is not supported in the clear part of a key: %#', (text, expected) => {
  expect(unsupportedIn(Buffer.from(text))).toEqual(expected);
});

test.each([
  ['ssh-ed25519', () => generatedKey('secret').private],
  ['ssh-rsa', () => pem('rsa', { modulusLength: 2048 }, 'pkcs1')],
  ['ecdsa-sha2-nistp384', () => pem('ec', { namedCurve: 'P-384' }, 'sec1')],
])('decrypts a key of type %s', async (type, make) => {
  const bytes = Buffer.from(make());
  const expected = parsePrivateKey(bytes, Buffer.from('secret'));
  const key = await decryptPrivateKey(bytes, Buffer.from('secret'));
  if (typeof key === 'string') throw new Error(key);
  expect(key).toMatchObject({ type, fingerprint: expected?.fingerprint });
  const data = Buffer.from('signed');
  expect(expected?.key.verify(data, key.key.sign(data) as Buffer)).toBe(true);
  expect(await decryptPrivateKey(bytes, Buffer.from('wrong'))).toBe('locked');
});

test('never throws for arbitrary or truncated bytes', () => {
  const whole = Buffer.from(generatedKey().private);
  fc.assert(
    fc.property(fc.uint8Array(), fc.nat(whole.length - 40), (noise, cut) => {
      for (const bytes of [Buffer.from(noise), whole.subarray(0, cut)]) {
        keyFormat(bytes);
        expect(parsePrivateKey(bytes, undefined)).toBeUndefined();
      }
    }),
  );
});
