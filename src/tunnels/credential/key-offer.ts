import { abortable, withDeadline } from '../../base/async/deadline.ts';
import { type ErrorCode, TunnelError } from '../../base/errors.ts';
import type { KeySource } from '../../config/config.ts';
import { fingerprint } from '../ssh/public-key.ts';
import type { Demands } from './agent-identities.ts';
import { loadCredential } from './credential.ts';
import type { Offer } from './offer.ts';

/** A key on a file system that hangs must hold up neither a link nor its stop; in milliseconds. */
export const READ_MS = 10_000;

/**
 * The key alone, read anew: a mended file or a restarted agent needs no reload. Rejects with a TunnelError.
 *
 * @param source of the key; what is demanded of certificates holds for those of an agent
 * @param standIn why it is offered in the place of a certificate, if it is
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
      // What it holds now, in whatever order: another certificate is another credential, which nobody has rejected yet.
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
  'Compare `ssh-add -L` with authorized_keys on the host, certificates with TrustedUserCAKeys and AuthorizedPrincipalsFile; a host takes few tries (MaxAuthTries).';

/** Why the static key of an actor is offered: for want of something better, under the exception that allows it. */
export function standInFor(why: TunnelError, exception: string): TunnelError {
  const reason = `static key under exception ${exception}: ${why.message}`;
  return new TunnelError(why.code, reason, { cause: why, hint: why.hint });
}

/** Bounds work on local files; `what` names them. Rejects with `code` when it takes too long. */
export function inTime<T>(
  what: string,
  reading: Promise<T>,
  ms = READ_MS,
  code: ErrorCode = 'key_unreadable',
): Promise<T> {
  return withDeadline(ms, undefined, unread(what, ms, code), (signal) => abortable(reading, signal));
}

function unread(what: string, ms: number, code: ErrorCode = 'key_unreadable'): () => TunnelError {
  return () => new TunnelError(code, `${what} did not answer within ${ms} ms`);
}
