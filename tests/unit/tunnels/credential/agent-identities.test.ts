import { describe, expect, test } from 'vitest';
import { usableIdentities } from '../../../../src/tunnels/credential/agent-identities.ts';
import { fingerprint } from '../../../../src/tunnels/ssh/public-key.ts';
import { buildCertificate, goodFields, signingKey } from '../../../support/certificates/built-certificate.ts';

const nowMs = Number(goodFields.validAfter + 600n) * 1000;
const usable = (blobs: readonly Buffer[], demands = {}) => usableIdentities(blobs, demands, nowMs);

const plain = signingKey().blob;
const certificate = buildCertificate({ principals: ['atm-fleet-mesh'] });
const other = buildCertificate({ principals: ['other'] });
const expired = buildCertificate({ validBefore: goodFields.validAfter + 10n });
const damaged = certificate.subarray(0, -1);
const ca = fingerprint(goodFields.ca.blob);

describe(usableIdentities, () => {
  test('lists certificates before plain keys, and leaves out unusable certificates', () => {
    expect(usable([plain, expired, certificate, damaged, other])).toEqual([certificate, other, plain]);
  });

  test('leaves out plain keys when the actor requires principals or a CA', () => {
    const blobs = [plain, other, certificate];
    expect(usable(blobs, { principals: ['atm-fleet-mesh'] })).toEqual([certificate]);
    expect(usable(blobs, { caFingerprints: [ca] })).toEqual([other, certificate]);
  });

  test.each([
    ['of the principals', [plain, other], { principals: ['atm-fleet-mesh'] }, 'cert_wrong_principal'],
    ['of the CA', [plain, certificate], { caFingerprints: ['SHA256:other'] }, 'cert_invalid'],
    ['of its time', [expired], {}, 'cert_expired'],
    ['damaged', [damaged], {}, 'cert_invalid'],
    ['only plain keys', [plain], { principals: ['atm-fleet-mesh'] }, 'key_unreadable'],
    ['nothing', [], {}, 'key_unreadable'],
  ])('names the reason when no identity is left: %s', (_, blobs, demands, code) => {
    expect(() => usable(blobs, demands)).toThrowError(expect.objectContaining({ code }));
  });
});
