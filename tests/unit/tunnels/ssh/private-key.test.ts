import fc from 'fast-check';
import { expect, test } from 'vitest';
import { keyFormat, parsePrivateKey } from '../../../../src/tunnels/ssh/private-key.ts';
import { fingerprint } from '../../../../src/tunnels/ssh/public-key.ts';
import { generatedKey } from '../../../support/certificates/generated-key.ts';

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
