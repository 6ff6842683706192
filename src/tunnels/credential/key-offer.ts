import { abortable, withDeadline } from '../../base/async/deadline.ts';
import { type ErrorCode, TunnelError } from '../../base/errors.ts';
import type { KeySource } from '../../config/config.ts';
import { fingerprint } from '../ssh/public-key.ts';
import type { Demands } from './agent-identities.ts';
import { loadCredential } from './credential.ts';
import type { Offer } from './offer.ts';

/** Bound of a read, in milliseconds: a file system that hangs must not block a link or its stop. */
export const READ_MS = 10_000;

/**
 * A key without a certificate, read again: a fixed file or a restarted agent needs no reload. Rejects with a TunnelError.
 *
 * @param source of the key; the requirements apply to certificates in an agent
 * @param standIn why the key is offered instead of a certificate; undefined when it is not a fallback
 * @param env the daemon's
 */
export async function offerKey(
  source: { readonly key: KeySource } & Demands,
  version: number,
  standIn: TunnelError | undefined,
  env: NodeJS.ProcessEnv,
): Promise<Offer> {
  const { key } = source;
  const what = key.kind === 'agent' ? 'ssh-agent' : 'the key';
  const credential = await withDeadline(READ_MS, undefined, unread(what, READ_MS), (signal) =>
    abortable(loadCredential(source, env, signal), signal),
  );
  const plain = { type: credential.type, version, validBefore: undefined, standIn };
  if (credential.type === 'agent')
    return {
      credential,
      // Independent of the order. A new certificate makes a new credential, which no server has rejected yet.
      facts: {
        ...plain,
        fingerprint: undefined,
        id: fingerprint(Buffer.concat(credential.identities.toSorted(Buffer.compare))),
      },
      label: `the ${credential.identities.length} keys of ssh-agent`,
      ifRejected: AGENT_REJECTED,
    };
  const label = `${key.kind === 'file' ? key.path : what} (${credential.fingerprint})`;
  return { credential, facts: { ...plain, fingerprint: credential.fingerprint, id: credential.fingerprint }, label };
}

const AGENT_REJECTED =
  'On the host, check authorized_keys, TrustedUserCAKeys and AuthorizedPrincipalsFile against `ssh-add -L`. MaxAuthTries limits the number of keys.';

/** Why the fallback of an actor is offered, and the exception that allows the fallback. */
export function fallbackReason(why: TunnelError, exception: string): TunnelError {
  const reason = `static key under exception ${exception}: ${why.message}`;
  return new TunnelError(why.code, reason, { cause: why, hint: why.hint });
}

/** Bounds a read of local files; `what` names the files. Rejects with `code` after `ms`. */
export function inTime<T>(
  what: string,
  reading: Promise<T>,
  ms = READ_MS,
  code: ErrorCode = 'key_unreadable',
): Promise<T> {
  return withDeadline(ms, undefined, unread(what, ms, code), (signal) => abortable(reading, signal));
}

function unread(what: string, ms: number, code: ErrorCode = 'key_unreadable'): () => TunnelError {
  return () => new TunnelError(code, `access to ${what} took longer than ${ms} ms`);
}
