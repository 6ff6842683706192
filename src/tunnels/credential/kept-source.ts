import { TunnelError } from '../../base/errors.ts';
import type { ActorConfig } from '../../config/config.ts';
import type { Certificate } from '../ssh/certificate/certificate.ts';
import type { PrivateKey } from '../ssh/private-key.ts';
import { loadCertifiedKey, objectionTo } from './certified-key.ts';
import { hold, offerCertificate } from './held-certificate.ts';
import type { Issuer } from './issuer.ts';
import { fallbackReason, inTime, offerKey } from './key-offer.ts';
import type { CredentialSource, Offer } from './offer.ts';

/**
 * An actor's credential on disk: the key, or the certificate that the daemon saved, or the fallback. Runs no command
 * and writes nothing.
 *
 * @param trial gets a certificate when the saved one is not usable; called once at most
 */
export function keptSource(
  actor: ActorConfig,
  issuer: Pick<Issuer, 'kept'>,
  env: NodeJS.ProcessEnv,
  trial?: (key: PrivateKey) => Promise<Certificate>,
): CredentialSource {
  let tried: Promise<Certificate> | undefined;
  const once = trial && ((key: PrivateKey) => (tried ??= trial(key)));
  return {
    current: async () => {
      if (!actor.certCommand) return offerKey(actor, 1, undefined, env);
      try {
        return await offerKept(actor, issuer, env, once);
      } catch (error) {
        if (!actor.fallback) throw error;
        const { key, exception } = actor.fallback;
        return offerKey({ key }, 1, fallbackReason(TunnelError.from(error), exception), env);
      }
    },
  };
}

async function offerKept(
  actor: ActorConfig,
  issuer: Pick<Issuer, 'kept'>,
  env: NodeJS.ProcessEnv,
  trial: ((key: PrivateKey) => Promise<Certificate>) | undefined,
): Promise<Offer> {
  const key = await loadCertifiedKey(actor, env);
  const offer = (certificate: Certificate) => offerCertificate(hold(certificate, key, actor.renewAfter, 0), actor, 1);
  const certificate = await inTime('the saved certificate', issuer.kept());
  const objection = certificate && objectionTo(certificate, key, actor);
  if (certificate && !objection) return offer(certificate);
  if (trial) {
    const made = await trial(key);
    const fault = objectionTo(made, key, actor);
    if (fault) throw fault;
    return offer(made);
  }
  if (!objection)
    throw new TunnelError('cert_command_failed', `no saved certificate for ${actor.name}`, {
      hint: 'The running daemon gets the certificate: read its log, or run `fleet-mesh doctor --try-cert-command`.',
    });
  throw new TunnelError(objection.code, `saved certificate not usable: ${objection.message}`, {
    cause: objection,
    hint: `${objection.hint} The running daemon renews the certificate; \`fleet-mesh status\` shows why a renewal fails.`,
  });
}
