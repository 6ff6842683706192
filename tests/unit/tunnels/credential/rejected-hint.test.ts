import { describe, expect, test } from 'vitest';
import { certificateRejectedHint } from '../../../../src/tunnels/credential/rejected-hint.ts';
import { parseCertificateBlob } from '../../../../src/tunnels/ssh/certificate/certificate.ts';
import { wireString } from '../../../../src/tunnels/ssh/wire.ts';
import { buildCertificate } from '../../../support/certificates/built-certificate.ts';

const plain = parseCertificateBlob(buildCertificate({ principals: ['a', 'b'] }));
const restricted = parseCertificateBlob(
  buildCertificate({
    criticalOptions: [
      ['force-command', wireString('login --token canary')],
      ['source-address', wireString('192.0.2.0/24')],
    ],
  }),
);

describe(certificateRejectedHint, () => {
  test('names the settings for certificates, and not the files of plain keys', () => {
    const hint = certificateRejectedHint(plain);
    expect(hint).toContain(`TrustedUserCAKeys has the CA ${plain.caFingerprint}`);
    expect(hint).toContain('AuthorizedPrincipalsFile (or else the user name) matches [a, b]');
    expect(hint).not.toMatch(/authorized_keys|source-address/);
  });

  test('names source-address when the certificate has one', () => {
    expect(certificateRejectedHint(restricted)).toContain('192.0.2.0/24 (source-address)');
  });
});
