import type { TunnelError } from '../../base/errors.ts';
import type { ActorConfig } from '../../config/config.ts';
import { type Certificate, certificateTime, restrictions } from '../ssh/certificate/certificate.ts';
import type { PrivateKey } from '../ssh/private-key.ts';
import { fingerprint } from '../ssh/public-key.ts';
import { checkValidity } from './certificate-gate.ts';
import type { Offer } from './offer.ts';
import { certificateRejectedHint } from './rejected-hint.ts';
import { type Lifetime, type Moment, remainingMs, renewalDelayMs } from './renewal-policy.ts';

/** A certificate that passed the checks, with its key and its planned renewal. */
export interface HeldCertificate {
  readonly certificate: Certificate;
  readonly key: PrivateKey;
  /** Of the certificate, not of its key: `SHA256:…` over its blob. */
  readonly id: string;
  readonly lifetime: Lifetime;
  readonly received: Moment;
  /** Remaining life at that moment, in milliseconds. */
  readonly lifeMs: number;
  /** Renewal is due this long after receipt, in milliseconds. */
  readonly renewAfterMs: number;
}

function idOf(certificate: Certificate): string {
  return fingerprint(certificate.blob);
}

/** The dates of a certificate in milliseconds. */
function lifetimeOf({ validAfter, validBefore }: Certificate): Lifetime {
  return {
    validAfterMs: Number(validAfter) * 1000,
    validBeforeMs: certificateTime(validBefore)?.getTime() ?? Number.POSITIVE_INFINITY,
  };
}

export function now(): Moment {
  return { wallMs: Date.now(), monotonicMs: performance.now() };
}

/** The expiry time as text. */
export function endOf({ lifetime }: HeldCertificate): string {
  return Number.isFinite(lifetime.validBeforeMs) ? new Date(lifetime.validBeforeMs).toISOString() : 'no time';
}

/** The fields of a log line about a certificate. */
export function certificateFields(held: HeldCertificate): Readonly<Record<string, unknown>> {
  const { keyId, serial, principals } = held.certificate;
  const restricted = restrictions(held.certificate);
  return {
    key_id: keyId,
    serial: `${serial}`,
    principals,
    valid_before: endOf(held),
    ...(restricted.length > 0 ? { restrictions: restricted } : {}),
  };
}

/** Why a login with the certificate would fail now: expired, or not valid yet. Undefined when it is valid. */
export function faultOf({ certificate }: HeldCertificate): TunnelError | undefined {
  return checkValidity(certificate, Date.now());
}

/** Whether the certificate is valid now. */
export function isValid(held: HeldCertificate): boolean {
  return faultOf(held) === undefined;
}

/**
 * A certificate received now, with a planned renewal.
 *
 * @param renewAfter fraction of the remaining life
 * @param random uniform in [0, 1)
 */
export function hold(certificate: Certificate, key: PrivateKey, renewAfter: number, random: number): HeldCertificate {
  const lifetime = lifetimeOf(certificate);
  const received = now();
  return {
    certificate,
    key,
    id: idOf(certificate),
    lifetime,
    received,
    lifeMs: remainingMs(lifetime, received.wallMs),
    renewAfterMs: renewalDelayMs(lifetime, received.wallMs, renewAfter, random),
  };
}

export function offerCertificate(
  { certificate, key, id }: HeldCertificate,
  actor: Pick<ActorConfig, 'key'>,
  version: number,
): Offer {
  const path = actor.key.kind === 'file' ? actor.key.path : 'ssh-agent';
  return {
    credential: { type: 'certificate', key: key.key, fingerprint: key.fingerprint, certificate },
    facts: {
      type: 'certificate',
      fingerprint: key.fingerprint,
      id,
      version,
      validBefore: certificateTime(certificate.validBefore),
      standIn: undefined,
    },
    label: `the certificate (serial ${certificate.serial}) of ${path} (${key.fingerprint})`,
    ifRejected: certificateRejectedHint(certificate),
  };
}
