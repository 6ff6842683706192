import type { TunnelError } from '../../../base/errors.ts';
import type { Certificate } from './certificate.ts';

/** Returns undefined without an objection. `nowS` is the wall clock, in seconds since the epoch. */
export type Check<Expected> = (certificate: Certificate, expected: Expected, nowS: bigint) => TunnelError | undefined;

/**
 * The objection of the first check that has one. The operator sees only this objection, so the order matters. Pure.
 *
 * @param nowMs wall clock, in milliseconds since the epoch
 */
export function firstObjection<Expected>(
  checks: readonly Check<Expected>[],
  certificate: Certificate,
  expected: Expected,
  nowMs: number,
): TunnelError | undefined {
  const nowS = BigInt(Math.floor(nowMs / 1000));
  for (const check of checks) {
    const objection = check(certificate, expected, nowS);
    if (objection) return objection;
  }
  return undefined;
}
