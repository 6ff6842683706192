import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TunnelError } from '../../../../../src/base/errors.ts';
import {
  certificateTime,
  FOREVER,
  parseCertificate,
  parseCertificateBlob,
  restrictions,
} from '../../../../../src/tunnels/ssh/certificate/certificate.ts';
import { fingerprint } from '../../../../../src/tunnels/ssh/public-key.ts';
import { wireString } from '../../../../../src/tunnels/ssh/wire.ts';
import {
  buildCertificate,
  type CertificateFields,
  goodFields,
  type KeyKind,
  lineOf,
  mpint,
  signingKey,
} from '../../../../support/certificates/built-certificate.ts';

const good = buildCertificate();
const goodLine = lineOf(good);

describe('one line', () => {
  test.each([
    ['as ssh-keygen writes it', `${goodLine} comment\n`],
    ['with spaces in the comment', `${goodLine} a comment of several words`],
    ['with CRLF', `${goodLine}\r\n`],
    ['with blank lines and spaces around', `\n\n   ${goodLine}  \n\n`],
    ['with a tab', goodLine.replace(' ', '\t')],
    ['below a comment line', `# signed by nobody\n${goodLine}\n`],
  ])('reads a certificate line %s', (_, text) => {
    expect(parseCertificate(text)).toMatchObject({ line: goodLine, keyId: 'test' });
  });

  const others: [text: string, what: string][] = [
    ['', 'nothing'],
    ['\n # comment\n', 'nothing'],
    ['<!DOCTYPE html>\n<html><body>Sign in</body></html>', 'an HTML page'],
    ['<html>', 'an HTML page'],
    ['{"errors":["permission denied"]}', 'JSON'],
    ['{\n"errors":[]}', 'JSON'],
    ['-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n', 'a private key'],
    ['-----BEGIN PRIVATE KEY-----\nAAAA\n', 'a private key'],
    ['-----BEGIN CERTIFICATE-----\nMIIB\n', 'an X.509 certificate'],
    [`${goodLine}\n${goodLine}\n`, '2 certificates'],
    [`${goodLine}\nSigned.\n`, '2 lines'],
    [`Enter passphrase:\n${goodLine}`, '2 lines'],
    [`ssh-ed25519 ${goodFields.subject.toString('base64')} me@here`, 'a plain public key without a certificate'],
    ['sk-ssh-ed25519@openssh.com AAAA', 'a plain public key without a certificate'],
    ['sk-ssh-ed25519-cert-v01@openssh.com AAAA', 'a certificate of an unsupported type'],
    ['ssh-dss-cert-v01@openssh.com AAAA', 'a certificate of an unsupported type'],
    ['permission denied', 'something else'],
    [goodLine.split(' ')[0] ?? '', 'a certificate whose base64 is damaged'],
    [goodLine.replace(/.$/, '!'), 'a certificate whose base64 is damaged'],
    [goodLine.replace('=', ''), 'a certificate whose base64 is damaged'],
    [goodLine.replace('ed25519', 'ed25518'), 'a certificate of an unsupported type'],
    [goodLine.replace('ssh-ed25519-', 'ssh-rsa-'), 'a certificate of another type than its line says'],
    [`\0${goodLine}`, 'something else'],
  ];
  test.each(others.map(([text, what]) => [what, text]))('rejects %s by its name', (what, text) => {
    expect(() => parseCertificate(text)).toThrow(
      expect.objectContaining({ code: 'cert_invalid', message: `expected one OpenSSH certificate, got ${what}` }),
    );
  });

  test('puts no part of a wrong text into the error', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z0-9]{20}$/), (secret) => {
        const error = catchError(() => parseCertificate(`${secret}\n${secret} ${secret}`));
        expect(`${error.message} ${error.hint}`).not.toContain(secret);
      }),
    );
  });
});

describe('the fields of a certificate', () => {
  const text = fc.string({ unit: 'grapheme', maxLength: 20 }).filter((each) => !each.includes('\0'));
  const options = fc
    .uniqueArray(fc.tuple(text, fc.uint8Array({ maxLength: 20 })), { selector: ([name]) => name, maxLength: 4 })
    .map((pairs) => pairs.map(([name, data]) => [name, Buffer.from(data)] as const));
  const uint64 = fc.bigInt({ min: 0n, max: FOREVER });
  const kinds: KeyKind[] = ['ed25519', 'nistp256', 'nistp384', 'nistp521', 'rsa'];
  const subjects = kinds.map(signingKey);

  test('reads every field as the CA wrote it', () => {
    const anything = fc.record({
      subject: fc.constantFrom(...subjects),
      role: fc.constantFrom(1, 2),
      serial: uint64,
      keyId: text,
      principals: fc.array(text, { maxLength: 5 }),
      validAfter: uint64,
      validBefore: uint64,
      criticalOptions: options,
      extensions: options,
      reserved: fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
    });
    fc.assert(
      fc.property(anything, ({ subject, ...fields }) => {
        const type = `${subject.type}-cert-v01@openssh.com`;
        const blob = buildCertificate({ ...fields, subject: subject.blob, type });
        expect(parseCertificate(lineOf(blob))).toMatchObject({
          line: lineOf(blob),
          blob,
          type,
          plainType: subject.type,
          keyBlob: subject.blob,
          keyFingerprint: fingerprint(subject.blob),
          role: fields.role === 1 ? 'user' : 'host',
          serial: fields.serial,
          keyId: fields.keyId,
          principals: fields.principals,
          validAfter: fields.validAfter,
          validBefore: fields.validBefore,
          criticalOptions: new Map(fields.criticalOptions),
          extensions: new Map(fields.extensions),
          caKeyBlob: goodFields.ca.blob,
          caFingerprint: fingerprint(goodFields.ca.blob),
          signature: { algorithm: 'ssh-ed25519' },
        });
      }),
      { numRuns: 50 },
    );
  });

  test('converts times to dates within the range of a Date', () => {
    expect(certificateTime(0n)).toEqual(new Date(0));
    expect(certificateTime(1_700_000_000n)?.toISOString()).toBe('2023-11-14T22:13:20.000Z');
    expect(certificateTime(8_640_000_000_000n)).toEqual(new Date(8.64e15));
    expect(certificateTime(8_640_000_000_001n)).toBeUndefined();
    expect(certificateTime(FOREVER)).toBeUndefined();
  });
});

describe('a blob that is not one certificate to the last byte', () => {
  const off = Buffer.from(signingKey('nistp256').blob);
  off[off.length - 1] = (off.at(-1) ?? 0) ^ 1;
  const ecdsa = 'ecdsa-sha2-nistp256-cert-v01@openssh.com';
  const rsa = (e: Buffer, n: Buffer) => Buffer.concat([wireString('ssh-rsa'), wireString(e), wireString(n)]);
  const big = Buffer.alloc(257, 0xff).fill(0, 0, 1);
  const cases: Record<string, Partial<CertificateFields>> = {
    'for neither user nor host': { role: 3 },
    'with role 0': { role: 0 },
    'with an option twice': { extensions: [...goodFields.extensions, ...goodFields.extensions] },
    'with a critical option twice': {
      criticalOptions: ['a', 'b', 'a'].map((name) => [name, Buffer.alloc(0)] as const),
    },
    'with a permission that has data': { extensions: [['permit-port-forwarding', Buffer.of(0)]] },
    'with a forced command that is not text': { criticalOptions: [['force-command', Buffer.of(1)]] },
    'with a NUL in a principal': { principals: ['atm\0'] },
    'with a key id that is not UTF-8': { keyId: Buffer.of(0xff) },
    'with too many principals': { principals: Array.from({ length: 257 }, (_, index) => `p${index}`) },
    'with an unsupported type': { type: 'ssh-dss-cert-v01@openssh.com' },
    'with a plain type': { type: 'ssh-ed25519' },
    'with an ed25519 key of the wrong length': {
      subject: Buffer.concat([wireString('ssh-ed25519'), wireString(Buffer.alloc(31))]),
    },
    'with a point that is not on the curve': { type: ecdsa, subject: off },
    'with the key of another curve': { type: ecdsa, subject: signingKey('nistp384').blob },
    'with an RSA key too short': {
      type: 'ssh-rsa-cert-v01@openssh.com',
      subject: rsa(Buffer.of(3), Buffer.alloc(64, 0x7f)),
    },
    'with a negative RSA modulus': {
      type: 'ssh-rsa-cert-v01@openssh.com',
      subject: rsa(Buffer.of(3), big.subarray(1)),
    },
    'with an RSA exponent that has a zero too many': {
      type: 'ssh-rsa-cert-v01@openssh.com',
      subject: rsa(Buffer.of(0, 3), big),
    },
  };
  test.each(Object.entries(cases))('rejects a certificate %s', (_, fields) => {
    expect(catchError(() => parseCertificateBlob(buildCertificate(fields))).code).toBe('cert_invalid');
  });

  test('accepts the RSA key that the bad certificates change', () => {
    const blob = buildCertificate({ type: 'ssh-rsa-cert-v01@openssh.com', subject: rsa(Buffer.of(3), big) });
    expect(parseCertificateBlob(blob).keyBlob).toEqual(
      Buffer.concat([wireString('ssh-rsa'), mpint(Buffer.of(3)), wireString(big)]),
    );
  });

  test('rejects a certificate that is cut short or has an extra byte', () => {
    for (let length = 0; length < good.length; length++) {
      expect(catchError(() => parseCertificateBlob(good.subarray(0, length))).code).toBe('cert_invalid');
    }
    expect(catchError(() => parseCertificateBlob(Buffer.concat([good, Buffer.of(0)]))).code).toBe('cert_invalid');
  });

  test('rejects random bytes and random text with cert_invalid', () => {
    const bytes = fc.uint8Array({ maxLength: 400 }).map((each) => Buffer.from(each));
    fc.assert(
      fc.property(bytes, (blob) => {
        expect(catchError(() => parseCertificateBlob(blob)).code).toBe('cert_invalid');
      }),
    );
    fc.assert(
      fc.property(bytes, (text) => {
        expect(catchError(() => parseCertificate(text.toString('latin1'))).code).toBe('cert_invalid');
      }),
    );
  });

  test('rejects a changed certificate, or reads the changed bytes', () => {
    const tail = fc.tuple(fc.nat(good.length - 1), fc.uint8Array({ maxLength: 400 }));
    fc.assert(
      fc.property(tail, ([at, bytes]) => {
        const blob = Buffer.concat([good.subarray(0, at), bytes]);
        const { code, read } = outcome(() => parseCertificateBlob(blob));
        expect(read?.blob ?? code).toEqual(read ? blob : 'cert_invalid');
      }),
    );
  });
});

function catchError(work: () => unknown): TunnelError {
  const { error } = outcome(work);
  if (error === undefined) throw new Error('it was accepted');
  return error;
}

/** Anything but a TunnelError is a bug. */
function outcome<T>(work: () => T): { read?: T; error?: TunnelError; code?: string } {
  try {
    return { read: work() };
  } catch (error) {
    if (!(error instanceof TunnelError)) throw error;
    return { error, code: error.code };
  }
}

test('names each restriction of a certificate, but not the forced command', () => {
  const criticalOptions: [string, Buffer][] = [
    ['force-command', wireString('login --token canary')],
    ['source-address', wireString('192.0.2.0/24')],
  ];
  expect(restrictions(parseCertificateBlob(buildCertificate()))).toEqual([]);
  expect(restrictions(parseCertificateBlob(buildCertificate({ criticalOptions })))).toEqual([
    'force-command',
    'source-address=192.0.2.0/24',
  ]);
});
