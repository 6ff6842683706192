import { describe, expect, test } from 'vitest';
import type { ErrorCode } from '../../../../../src/base/errors.ts';
import { FOREVER, parseCertificateBlob } from '../../../../../src/tunnels/ssh/certificate/certificate.ts';
import { CertifiedHosts, type FetchHostKey } from '../../../../../src/tunnels/ssh/host-key/certified-host.ts';
import {
  checkHostCertificate,
  type HostAuthorities,
} from '../../../../../src/tunnels/ssh/host-key/host-certificate.ts';
import type { KnownHost } from '../../../../../src/tunnels/ssh/host-key/known-hosts.ts';
import { fingerprint } from '../../../../../src/tunnels/ssh/public-key.ts';
import {
  buildCertificate,
  type CertificateFields,
  goodFields,
  signingKey,
} from '../../../../support/certificates/built-certificate.ts';

const other = signingKey();
const nowMs = Number(goodFields.validAfter + 600n) * 1000;
const line = (blob: Buffer, marker: KnownHost['marker'], number = 1): KnownHost => ({
  marker,
  hosts: '*',
  type: 'ssh-ed25519',
  blob,
  place: `kh:${number}`,
});
const trusted: HostAuthorities = {
  host: 'Coulombcore.example',
  authorities: [line(other.blob, 'cert-authority', 1), line(goodFields.ca.blob, 'cert-authority', 2)],
  revoked: [],
};
const hostFields = { role: 2, principals: ['coulombcore.example'], extensions: [] };
const built = (fields: Partial<CertificateFields> = {}) => buildCertificate({ ...hostFields, ...fields });
const check = (fields: Partial<CertificateFields>, differently: Partial<HostAuthorities> = {}) =>
  checkHostCertificate(parseCertificateBlob(built(fields)), { ...trusted, ...differently }, nowMs);

describe('checkHostCertificate', () => {
  test.each<[string, Partial<CertificateFields>]>([
    ['for its name', {}],
    ['for its name, among others and in capitals', { principals: ['x', 'COULOMBCORE.example'] }],
    ['for a pattern, as in ssh', { principals: ['*.example'] }],
    ['without an end', { validAfter: 0n, validBefore: FOREVER }],
  ])('accepts a host certificate %s', (_, fields) => {
    expect(check(fields)).toBeUndefined();
  });

  const revokedCa = { revoked: [line(goodFields.ca.blob, 'revoked', 7)] };
  const revokedKey = { revoked: [line(goodFields.subject, 'revoked', 7)] };
  test.each<[string, Partial<CertificateFields>, Partial<HostAuthorities>, ErrorCode, RegExp]>([
    ['of a user', { role: 1 }, {}, 'host_cert_invalid', /presented a user certificate/],
    [
      'by another CA',
      { ca: signingKey() },
      {},
      'host_cert_invalid',
      /is signed by SHA256:\S+, but known_hosts has SHA256:\S+ \(kh:1\), /,
    ],
    ['by a revoked CA', {}, revokedCa, 'host_key_changed', /signed by SHA256:\S+, which is revoked \(kh:7\)/],
    ['for a revoked key', {}, revokedKey, 'host_key_changed', /presented SHA256:\S+, which is revoked \(kh:7\)/],
    [
      'with a forged signature',
      { ca: { ...other, blob: goodFields.ca.blob } },
      {},
      'host_cert_invalid',
      /signature of the host certificate .* is invalid/,
    ],
    ['that is not valid yet', { validAfter: 1_700_000_601n }, {}, 'host_cert_invalid', /not valid before/],
    ['that expired', { validBefore: 1_700_000_600n }, {}, 'host_cert_invalid', /expired at/],
    [
      'for another name',
      { principals: ['a', 'b'] },
      {},
      'host_cert_invalid',
      /is for \[a, b\], not for Coulombcore\.example/,
    ],
    ['for no name, which ssh accepts for any', { principals: [] }, {}, 'host_cert_invalid', /is for no name, not for/],
    [
      'with a critical option',
      { criticalOptions: [['x@example', Buffer.alloc(0)]] },
      {},
      'host_cert_invalid',
      /critical option/,
    ],
  ])('rejects a host certificate %s', (_, fields, differently, code, message) => {
    expect(check(fields, differently)).toMatchObject({ code, message: expect.stringMatching(message) });
  });
});

describe(CertifiedHosts, () => {
  const certificate = built();
  const counted = (answer: () => Buffer | undefined): FetchHostKey & { calls: number } => {
    const fetch = Object.assign(
      async () => {
        fetch.calls++;
        return answer();
      },
      { calls: 0 },
    );
    return fetch;
  };

  test('pins the certified key and its type for the session', async () => {
    const policy = await new CertifiedHosts().policy(
      'h',
      trusted,
      async () => certificate,
      () => nowMs,
    );
    expect(policy.algorithms).toEqual(['ssh-ed25519']);
    expect(policy.verify(goodFields.subject)).toBeUndefined();
    expect(policy.verify(other.blob)).toMatchObject({
      code: 'host_key_changed',
      message: `Coulombcore.example presented ${fingerprint(other.blob)}, but its host certificate is for ${fingerprint(goodFields.subject)}`,
    });
  });

  test('fetches the certificate of a host once, while it is valid', async () => {
    const hosts = new CertifiedHosts();
    const fetch = counted(() => certificate);
    let now = nowMs;
    const ask = (differently: Partial<HostAuthorities> = {}) =>
      hosts.policy('h', { ...trusted, ...differently }, fetch, () => now);
    await ask();
    await ask();
    expect(fetch.calls).toBe(1);
    await hosts.policy('another host', trusted, fetch, () => now);
    expect(fetch.calls).toBe(2);
    await expect(ask({ revoked: [line(goodFields.ca.blob, 'revoked')] })).rejects.toMatchObject({
      code: 'host_key_changed',
    });
    now = Number(goodFields.validBefore) * 1000;
    await expect(ask()).rejects.toMatchObject({ code: 'host_cert_invalid' });
    expect(fetch.calls).toBe(4);
  });

  test('fetches the certificate again, without an alarm, when the key has changed', async () => {
    const hosts = new CertifiedHosts();
    const fetch = counted(() => certificate);
    const ask = () => hosts.policy('h', trusted, fetch, () => nowMs);
    await ask();
    expect((await ask()).verify(other.blob)).toMatchObject({ code: 'kex_failed', retryable: true });
    expect((await ask()).verify(other.blob)).toMatchObject({ code: 'host_key_changed', retryable: false });
    expect(fetch.calls).toBe(2);
  });

  test.each([
    ['nothing', undefined, /presented no host certificate/],
    ['a plain key', goodFields.subject, /damaged or unsupported host certificate/],
    ['garbage', Buffer.alloc(3), /damaged or unsupported host certificate/],
  ])('rejects %s instead of a host certificate', async (_, answer, message) => {
    await expect(
      new CertifiedHosts().policy(
        'h',
        trusted,
        async () => answer,
        () => nowMs,
      ),
    ).rejects.toMatchObject({
      code: 'host_cert_invalid',
      message: expect.stringMatching(message),
    });
  });
});
