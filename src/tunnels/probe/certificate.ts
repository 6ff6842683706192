import type { Advisory } from '../../telemetry/status/advisory.ts';
import type { ProbeCertificateStatus, TunnelStatus } from '../../telemetry/status/status.ts';
import type { Validity } from './tls.ts';

/** A certificate is near its end in its last two weeks, or in the last fifth of a shorter life: renewals begin earlier. */
const NEAR_MS = 14 * 86_400_000;
const NEAR_SHARE = 1 / 5;

export function describeCertificate(
  seenAt: ProbeCertificateStatus['seen_at'],
  validity: Validity | undefined,
): ProbeCertificateStatus | null {
  if (validity === undefined) return null;
  return { seen_at: seenAt, valid_after: validity.validAfter, valid_before: validity.validBefore };
}

/** The certificate that expires first. */
export function earlierCertificate(
  a: ProbeCertificateStatus | null,
  b: ProbeCertificateStatus | null,
): ProbeCertificateStatus | null {
  if (a === null || b === null) return a ?? b;
  return b.valid_before < a.valid_before ? b : a;
}

/** Warnings about certificates of targets and successors that expire soon. Pure. */
export function probeCertificateAdvisories(
  tunnels: readonly Pick<TunnelStatus, 'name' | 'probe_certificate'>[],
  now: Date,
): Advisory[] {
  return tunnels.flatMap(({ name, probe_certificate: certificate }): Advisory[] => {
    if (certificate === null || !isNear(certificate, now)) return [];
    const { seen_at, valid_before } = certificate;
    const ends = valid_before <= now ? 'expired' : 'expires';
    const message = `the TLS certificate of the ${seen_at} of ${name} ${ends} at ${valid_before.toISOString()}`;
    return [{ code: 'probe_certificate_expiring', message, subject: `${seen_at} of ${name}` }];
  });
}

function isNear({ valid_after, valid_before }: ProbeCertificateStatus, now: Date): boolean {
  const lifeMs = valid_before.getTime() - valid_after.getTime();
  return valid_before.getTime() - now.getTime() <= Math.min(NEAR_MS, lifeMs * NEAR_SHARE);
}
