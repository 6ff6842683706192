import { abortable, withDeadline } from '../async/deadline.ts';
import type { KeySource } from '../config/config.ts';
import { type ErrorCode, TunnelError } from '../errors.ts';
import { loadCredential } from './credential.ts';
import type { Offer } from './offer.ts';

/** A key on a file system that hangs must hold up neither a link nor its stop; in milliseconds. */
export const READ_MS = 10_000;

/**
 * The key alone, read anew: a mended file or a restarted agent needs no reload. Rejects with a TunnelError.
 *
 * @param standIn why it is offered in the place of a certificate, if it is
 * @param env the daemon's
 */
export async function offerKey(
  key: KeySource,
  version: number,
  standIn: TunnelError | undefined,
  env: NodeJS.ProcessEnv,
): Promise<Offer> {
  const credential = await inTime('the key', loadCredential({ key }, env));
  const fingerprint = credential.type === 'agent' ? undefined : credential.fingerprint;
  return {
    credential,
    facts: { type: credential.type, fingerprint, id: fingerprint ?? 'agent', version, validBefore: undefined, standIn },
    label: key.kind === 'file' ? `${key.path} (${fingerprint})` : 'the keys of ssh-agent',
  };
}

/** Bounds work on local files; `what` names them. Rejects with `code` when it takes too long. */
export function inTime<T>(
  what: string,
  reading: Promise<T>,
  ms = READ_MS,
  code: ErrorCode = 'key_unreadable',
): Promise<T> {
  const unread = () => new TunnelError(code, `${what} did not answer within ${ms} ms`);
  return withDeadline(ms, undefined, unread, (signal) => abortable(reading, signal));
}
