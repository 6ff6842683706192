import type { Address } from '../../../base/net/address.ts';
import type { Negotiate } from './listen-forward.ts';

/** A local forward (ssh(1) `-L`) asks its clients nothing: they all go to one target. */
export function fixedTarget(target: Address): Negotiate {
  const negotiation = { target, granted: () => {}, refused: () => {} };
  return async () => negotiation;
}
