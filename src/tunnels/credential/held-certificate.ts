import type { ActorConfig } from '../../config/config.ts';
import { type Certificate, certificateTime, restrictions } from '../ssh/certificate/certificate.ts';
import type { PrivateKey } from '../ssh/private-key.ts';
import { fingerprint } from '../ssh/public-key.ts';
import type { Offer } from './offer.ts';
import { certificateRejectedHint } from './rejected-hint.ts';
import { type Lifetime, type Moment, remainingMs, renewalDelayMs } from './renewal-policy.ts';

/** A certificate that has passed the gate, with its key and what is planned for it. */
export interface HeldCertificate {
  readonly certificate: Certificate;
  readonly key: PrivateKey;
  /** Of the certificate, not of its key: `SHA256:…` over its blob. */
  readonly id: string;
  readonly lifetime: Lifetime;
  readonly received: Moment;
  /** What was left of it then. */
  readonly lifeMs: number;
  /** After its receipt it is to be renewed. */
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

/** When it ends, in words. */
export function endOf({ lifetime }: HeldCertificate): string {
  return Number.isFinite(lifetime.validBeforeMs) ? new Date(lifetime.validBeforeMs).toISOString() : 'no time';
}

/** What a log line says of it. */
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

/** Whether it has not ended yet. */
export function isAlive({ lifetime }: HeldCertificate): boolean {
  return Date.now() < lifetime.validBeforeMs;
}

/**
 * One that was received just now, with its renewal planned.
 *
 * @param renewAfter fraction of what is left of it
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
