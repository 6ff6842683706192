import { describe, expect, test } from 'vitest';
import { TunnelError } from '../../../../../src/base/errors.ts';
import { parseCertificateBlob } from '../../../../../src/tunnels/ssh/certificate/certificate.ts';
import { type Check, firstObjection } from '../../../../../src/tunnels/ssh/certificate/certificate-check.ts';
import { buildCertificate } from '../../../../support/certificates/built-certificate.ts';

describe(firstObjection, () => {
  const certificate = parseCertificateBlob(buildCertificate());
  const fine: Check<string> = () => undefined;
  const refuse =
    (why: string): Check<string> =>
    () =>
      new TunnelError('cert_invalid', why);

  test('returns the objection of the first check that objects', () => {
    const checks = [fine, refuse('first'), refuse('second')];
    expect(firstObjection(checks, certificate, '', 0)).toMatchObject({ message: 'first' });
  });

  test('returns nothing when no check objects', () => {
    expect(firstObjection([fine, fine], certificate, '', 0)).toBeUndefined();
  });

  test('passes the expectation and the time in whole seconds to each check', () => {
    const asked: unknown[] = [];
    const check: Check<string> = (...all) => void asked.push(all);
    firstObjection([check], certificate, 'expected', 1_999);
    expect(asked).toEqual([[certificate, 'expected', 1n]]);
  });
});
