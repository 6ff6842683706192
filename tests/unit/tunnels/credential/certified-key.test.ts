import { describe, expect, test } from 'vitest';
import { loadCertifiedKey, objectionTo } from '../../../../src/tunnels/credential/certified-key.ts';
import { parsePrivateKey } from '../../../../src/tunnels/ssh/private-key.ts';
import { generatedKey } from '../../../support/certificates/generated-key.ts';
import { FakeIssuer } from '../../../support/fakes/fake-issuer.ts';
import { actorConfig } from '../../../support/fakes/fake-link.ts';

function privateKey() {
  const key = parsePrivateKey(Buffer.from(generatedKey().private), undefined);
  if (!key) throw new Error('the key cannot be read');
  return key;
}

test('refuses to certify a key of ssh-agent', async () => {
  await expect(loadCertifiedKey(actorConfig, {})).rejects.toMatchObject({ code: 'internal' });
});

describe(objectionTo, () => {
  const key = privateKey();
  const certificate = new FakeIssuer().certify(key.key.getPublicSSH());

  test('accepts a certificate of the key that meets the requirements of the actor', () => {
    expect(objectionTo(certificate, key, { ...actorConfig, principals: [...certificate.principals] })).toBeUndefined();
  });

  test.each([
    ['of another key', () => objectionTo(certificate, privateKey(), actorConfig), 'cert_invalid'],
    [
      'without a principal of the actor',
      () => objectionTo(certificate, key, { ...actorConfig, principals: ['other'] }),
      'cert_wrong_principal',
    ],
    [
      'by a CA that the actor does not trust',
      () => objectionTo(certificate, key, { ...actorConfig, caFingerprints: ['SHA256:other'] }),
      'cert_invalid',
    ],
  ])('objects to a certificate %s', (_, objection, code) => {
    expect(objection()).toMatchObject({ code });
  });
});
