import { TunnelError } from '../../base/errors.ts';
import type { ActorConfig } from '../../config/config.ts';
import type { Certificate } from '../ssh/certificate/certificate.ts';
import type { PrivateKey } from '../ssh/private-key.ts';
import { checkContent, checkUserCertificate } from './certificate-gate.ts';
import { loadKeyFile } from './key-file.ts';
import { inTime } from './key-offer.ts';

/**
 * The key of an actor's certificates. Rejects with a TunnelError. Bounded.
 *
 * @param env of the daemon
 */
export async function loadCertifiedKey({ name, key }: ActorConfig, env: NodeJS.ProcessEnv): Promise<PrivateKey> {
  if (key.kind === 'agent') throw new TunnelError('internal', `actor ${name} has no key file for a certificate`);
  const { CREDENTIALS_DIRECTORY: directory } = env;
  return inTime('the key', loadKeyFile(key.path, key.passphraseFile, directory));
}

/** The reason why the actor cannot use this certificate at any time; undefined when only the clock can be against it. */
export function misfitOf(
  certificate: Certificate,
  { key }: PrivateKey,
  { principals, caFingerprints }: ActorConfig,
): TunnelError | undefined {
  return checkContent(certificate, { publicKey: key.getPublicSSH(), principals, caFingerprints });
}

/** The reason why the actor cannot use this certificate now; undefined when it can. */
export function objectionTo(
  certificate: Certificate,
  { key }: PrivateKey,
  { principals, caFingerprints }: ActorConfig,
): TunnelError | undefined {
  return checkUserCertificate(certificate, { publicKey: key.getPublicSSH(), principals, caFingerprints }, Date.now());
}
