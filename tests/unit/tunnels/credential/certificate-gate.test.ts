import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ErrorCode } from '../../../../src/base/errors.ts';
import { checkUserCertificate, type Expectation } from '../../../../src/tunnels/credential/certificate-gate.ts';
import { FOREVER, parseCertificateBlob } from '../../../../src/tunnels/ssh/certificate/certificate.ts';
import { fingerprint } from '../../../../src/tunnels/ssh/public-key.ts';
import { wireString } from '../../../../src/tunnels/ssh/wire.ts';
import {
  buildCertificate,
  type CertificateFields,
  goodFields,
  signingKey,
} from '../../../support/certificates/built-certificate.ts';

const { subject: publicKey, validAfter, validBefore } = goodFields;
const during = Number(validAfter + 600n) * 1000;
const flag = Buffer.alloc(0);

function check(fields: Partial<CertificateFields>, expected: Partial<Expectation> = {}, nowMs = during) {
  return checkUserCertificate(parseCertificateBlob(buildCertificate(fields)), { publicKey, ...expected }, nowMs);
}

describe('checkUserCertificate of a good certificate', () => {
  const pinned = { principals: ['atm-fleet-mesh'], caFingerprints: [fingerprint(goodFields.ca.blob)] };
  test.each<[string, Partial<CertificateFields>, Partial<Expectation>]>([
    ['with nothing configured', {}, {}],
    ['with its principal and its CA configured', {}, pinned],
    ['with more principals than required', { principals: ['a', 'atm-fleet-mesh', 'b'] }, pinned],
    ['with all required principals', { principals: ['a', 'b'] }, { principals: ['b', 'a'] }],
    ['with one of several pinned CAs', {}, { caFingerprints: ['SHA256:other', ...pinned.caFingerprints] }],
    ['without an end', { validAfter: 0n, validBefore: FOREVER }, pinned],
    [
      'bound to addresses and to a command',
      {
        criticalOptions: [
          ['force-command', wireString('ls')],
          ['source-address', wireString('192.0.2.0/24')],
        ],
      },
      {},
    ],
    ['with an unknown extension', { extensions: [['x@example', flag], ...goodFields.extensions] }, {}],
  ])('accepts a certificate: %s', (_, fields, expected) => {
    expect(check(fields, expected)).toBeUndefined();
  });
});

describe('checkUserCertificate of a faulty certificate', () => {
  const other = signingKey();
  test.each<[Partial<CertificateFields>, Partial<Expectation>, ErrorCode, RegExp]>([
    [{ role: 2 }, {}, 'cert_invalid', /is for a host, not for a user/],
    [{}, { publicKey: other.blob }, 'cert_invalid', /is for another key \(SHA256:/],
    [
      {},
      { caFingerprints: [fingerprint(other.blob)] },
      'cert_invalid',
      /is signed by SHA256:.*not among ca_fingerprints/,
    ],
    [{}, { caFingerprints: [] }, 'cert_invalid', /not among ca_fingerprints/],
    [{ ca: { ...other, blob: goodFields.ca.blob } }, {}, 'cert_invalid', /signature of the certificate is invalid/],
    [
      { ca: signingKey('rsa'), algorithm: 'ssh-rsa' },
      {},
      'cert_invalid',
      /is signed with ssh-rsa, which is not supported/,
    ],
    [{ validBefore: validAfter }, {}, 'cert_invalid', /its end is before its start/],
    [{ validBefore: 0n }, {}, 'cert_invalid', /its end is before its start/],
    [{ validBefore: validAfter + 4n }, {}, 'cert_invalid', /valid for 4 s, which is too short/],
    [{ principals: [] }, {}, 'cert_invalid', /has no principal/],
    [
      { principals: ['agt-operator'] },
      { principals: ['atm-fleet-mesh'] },
      'cert_wrong_principal',
      /^the certificate has the principals \[agt-operator\], but \[atm-fleet-mesh\] are required$/,
    ],
    [
      { principals: ['a', 'b\u001b[31m'] },
      { principals: ['a', 'c'] },
      'cert_wrong_principal',
      /^the certificate has the principals \[a, b\\u001b\[31m\], but \[a, c\] are required$/,
    ],
    [{ extensions: [] }, {}, 'cert_invalid', /does not have permit-port-forwarding/],
    [{ extensions: [['permit-pty', flag]] }, {}, 'cert_invalid', /does not have permit-port-forwarding/],
    [{ criticalOptions: [['weird@example', flag]] }, {}, 'cert_invalid', /critical option weird@example/],
    [{ criticalOptions: [['verify-required', flag]] }, {}, 'cert_invalid', /verify-required/],
  ])('names the fault of a certificate: %#', (fields, expected, code, message) => {
    const error = check(fields, expected);
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
    expect(error?.hint).toMatch(/\.$/);
  });

  test('reports a bad signature before every fault of the content', () => {
    const forged = { ca: { ...other, blob: goodFields.ca.blob }, validBefore: validAfter + 10n, principals: [] };
    expect(check(forged)?.message).toContain('signature');
  });
});

describe('checkUserCertificate and the clock', () => {
  const at = (seconds: bigint) => check({}, {}, Number(seconds) * 1000)?.code;

  test('accepts a certificate up to a minute before its start, and rejects an expired certificate', () => {
    expect(at(validAfter - 61n)).toBe('cert_not_yet_valid');
    expect(at(validAfter - 60n)).toBeUndefined();
    expect(at(validBefore - 1n)).toBeUndefined();
    expect(at(validBefore)).toBe('cert_expired');
  });

  test('names the clock of this node in the hint', () => {
    const early = check({}, {}, Date.parse('2023-11-14T22:00:00Z'));
    expect(early?.message).toContain('2023-11-14T22:13:20.000Z');
    expect(early?.hint).toMatch(/this node says 2023-11-14T22:00:00.000Z.*fix the clock/);
    const late = check({}, {}, Date.parse('2023-11-15T00:00:00Z'));
    expect(late?.message).toContain('expired at 2023-11-14T23:13:20.000Z');
    expect(late?.hint).toContain('2023-11-15T00:00:00.000Z');
  });

  test('accepts exactly the certificates that are valid now, with one minute of tolerance at the start', () => {
    const uint64 = fc.oneof(
      fc.bigInt({ min: 0n, max: FOREVER }),
      fc.bigInt({ min: 1_600_000_000n, max: 1_800_000_000n }),
    );
    fc.assert(
      fc.property(uint64, uint64, fc.integer({ min: 0, max: 4e12 }), (after, before, nowMs) => {
        const now = BigInt(Math.floor(nowMs / 1000));
        const valid = after - 60n <= now && now < before && before - after >= 5n;
        expect(check({ validAfter: after, validBefore: before }, {}, nowMs) === undefined).toBe(valid);
      }),
    );
  });
});
