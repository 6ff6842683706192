import { TunnelError } from '../../base/errors.ts';
import type { ActorConfig } from '../../config/config.ts';
import type { Certificate } from '../ssh/certificate/certificate.ts';
import type { PrivateKey } from '../ssh/private-key.ts';
import { checkUserCertificate } from './certificate-gate.ts';
import { loadKeyFile } from './key-file.ts';
import { inTime } from './key-offer.ts';

/**
 * The key that an actor's certificates are for. Rejects with a TunnelError. Bounded.
 *
 * @param env of the daemon
 */
export async function loadCertifiedKey({ name, key }: ActorConfig, env: NodeJS.ProcessEnv): Promise<PrivateKey> {
  if (key.kind === 'agent') throw new TunnelError('internal', `actor ${name} has no key file to certify`);
  const { CREDENTIALS_DIRECTORY: directory } = env;
  return inTime('the key', loadKeyFile(key.path, key.passphraseFile, directory));
}

/** Why the actor cannot log in with this certificate of its key; undefined when it can. */
export function objectionTo(
  certificate: Certificate,
  { key }: PrivateKey,
  { principals, caFingerprints }: ActorConfig,
): TunnelError | undefined {
  return checkUserCertificate(certificate, { publicKey: key.getPublicSSH(), principals, caFingerprints }, Date.now());
}
