import type { ActorConfig } from '../../config/config.ts';
import type { CredentialStatus } from '../../telemetry/status/status.ts';
import { certificateTime, restrictions } from '../ssh/certificate/certificate.ts';
import type { CertificateSource } from './certificate-source.ts';
import { faultOf, type HeldCertificate, isValid } from './held-certificate.ts';
import type { NeedRecord } from './need-record.ts';
import type { CredentialFacts } from './offer.ts';
import { dueAt, type Moment } from './renewal-policy.ts';

interface CredentialDescription {
  readonly actor: ActorConfig;
  readonly held: HeldCertificate | undefined;
  /** The last credential offered that was not a certificate. */
  readonly plain: CredentialFacts | undefined;
  readonly renewal: CertificateSource['renewal'];
  readonly need: Pick<NeedRecord, 'lastNeededAt' | 'watchedSince'>;
  readonly now: Moment;
}

/** An actor's credential as `/status` shows it. */
export function describeCredential(facts: CredentialDescription): CredentialStatus {
  const { actor, held, plain } = facts;
  if (!actor.certCommand)
    return {
      ...NO_CERTIFICATE,
      type: actor.key.kind === 'agent' ? 'agent' : 'static_key',
      fingerprint: plain?.fingerprint ?? null,
    };
  const renewal = { state: renewalState(facts), last_error: facts.renewal.error?.report() ?? null };
  const static_key = describeFallback(facts);
  if (!held || !isValid(held)) {
    const fallback = plain?.standIn ? plain : undefined;
    if (!held || fallback)
      return {
        ...NO_CERTIFICATE,
        type: fallback ? 'static_key' : 'certificate',
        fingerprint: fallback?.fingerprint ?? null,
        renew_at: facts.renewal.retryAt ?? null,
        renewal,
        static_key,
      };
  }
  const { certificate, received, renewAfterMs } = held;
  const { keyId, serial, principals, validAfter, validBefore } = certificate;
  return {
    type: 'certificate',
    fingerprint: held.key.fingerprint,
    key_id: keyId,
    serial: `${serial}`,
    principals: [...principals],
    restrictions: restrictions(certificate),
    valid_after: validAfter === 0n ? null : (certificateTime(validAfter) ?? null),
    valid_before: certificateTime(validBefore) ?? null,
    renew_at: facts.renewal.retryAt ?? dueAt(received, renewAfterMs, facts.now),
    renewal,
    static_key,
  };
}

/** The certificate fields of a credential that is not a certificate. */
export const NO_CERTIFICATE = {
  key_id: null,
  serial: null,
  principals: null,
  restrictions: null,
  valid_after: null,
  valid_before: null,
  renew_at: null,
  renewal: null,
  static_key: null,
} as const;

function renewalState({ held, renewal: { failures, running } }: CredentialDescription): string {
  const fault = held && faultOf(held);
  if (fault) return fault.code === 'cert_expired' ? 'expired' : 'not_yet_valid';
  if (failures > 0) return 'failing';
  if (running) return 'renewing';
  return held ? 'ok' : 'pending';
}

/**
 * Whether the fallback can be removed: a working certificate was issued after the last need of the key. The date in the
 * certificate decides, so a restart changes nothing. If the CA backdates certificates, the next renewal decides.
 */
function describeFallback({ actor, held, need, now }: CredentialDescription): CredentialStatus['static_key'] {
  if (!actor.fallback) return null;
  const { lastNeededAt, watchedSince } = need;
  const works = held !== undefined && isValid(held);
  const removable = works && (!lastNeededAt || held.lifetime.validAfterMs > lastNeededAt.getTime());
  const when = lastNeededAt
    ? `was last needed at ${lastNeededAt.toISOString()}`
    : `has not been needed since ${watchedSince.toISOString()}`;
  const then = removable ? 'it can be removed' : 'keep it until a newer certificate works';
  return {
    exception: actor.fallback.exception,
    last_needed_at: lastNeededAt ?? null,
    removable: removable && watchedSince.getTime() <= now.wallMs,
    verdict: `the static key ${when}; ${then}`,
  };
}
