import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseCertificate } from '../../../../src/tunnels/ssh/certificate/certificate.ts';
import { verifySignature } from '../../../../src/tunnels/ssh/certificate/certificate-signature.ts';
import { buildCertificate, lineOf } from '../../../support/certificates/built-certificate.ts';
import { makeCertificateAuthority, type SigningOptions } from '../../../support/certificates/certificate-authority.ts';
import { asKeygenLists, keygenListing, keygenListings } from '../../../support/certificates/keygen-listing.ts';
import { generateKey, type KeyOptions } from '../../../support/certificates/keys.ts';
import { accepted, isComparable, Mutator, seeded } from '../../../support/certificates/mutated-certificate.ts';
import { has } from '../../../support/machine/capabilities.ts';
import { tempDir } from '../../../support/machine/temp-dir.ts';

describe.skipIf(!has('ssh-keygen'))('certificates are read as ssh-keygen reads them', () => {
  it('reads every certificate that ssh-keygen signs', () => {
    using temp = tempDir('keygen');
    const kinds: KeyOptions[] = [
      {},
      { type: 'ecdsa', bits: 256 },
      { type: 'ecdsa', bits: 384 },
      { type: 'ecdsa', bits: 521 },
      { type: 'rsa' },
    ];
    const variants: SigningOptions[] = [
      { serial: '18446744073709551615', principals: ['a', 'b', 'c'] },
      { principals: [] },
      { validity: 'always:forever' },
      { validity: 'always:20300101' },
      { validity: '20200101:forever' },
      { validity: '-2h:-1h', keyId: 'clé "à" deux mots' },
      { role: 'host', principals: ['*.example', 'host'] },
      { options: ['clear'] },
      { options: ['force-command=/bin/true a b', 'source-address=192.0.2.0/24,::1/128', 'verify-required'] },
      { options: ['critical:weird@example.com=x', 'extension:flag@example.com', 'extension:value@example.com=y'] },
    ];
    const keys = kinds.map((options, index) => generateKey(join(temp.path, `key-${index}`), options));
    const authorities = kinds.map((options, index) => makeCertificateAuthority(temp.path, `ca-${index}`, options));
    const path = join(temp.path, 'one-cert.pub');
    const check = (line: string) => {
      writeFileSync(path, line);
      const certificate = parseCertificate(line);
      expect(asKeygenLists(certificate)).toBe(keygenListing(path));
      expect(verifySignature(certificate)).toBe('valid');
    };
    const [firstKey] = keys;
    const [firstCa] = authorities;
    if (!firstKey || !firstCa) throw new Error('no key');
    for (const key of keys) check(firstCa.sign(key));
    for (const ca of authorities) check(ca.sign(firstKey));
    for (const variant of variants) check(firstCa.sign(firstKey, variant));
  });

  it('rejects a changed certificate, or reads the same fields as ssh-keygen', () => {
    using temp = tempDir('keygen');
    const mutator = new Mutator(seeded(20_261_121));
    const lines = Array.from({ length: 4_000 }, () => mutator.line());
    const good = lines.flatMap((line) => {
      const certificate = accepted(line);
      return certificate && isComparable(certificate) ? [{ line, certificate }] : [];
    });
    expect(good.length).toBeGreaterThan(200);
    const listings = keygenListings(
      temp.path,
      lineOf(buildCertificate()),
      good.map(({ certificate }) => certificate.line),
    );
    expect(good.map(({ certificate }) => asKeygenLists(certificate))).toEqual(listings);
  });
});
