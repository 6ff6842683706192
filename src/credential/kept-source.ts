import type { ActorConfig } from '../config/config.ts';
import { TunnelError } from '../errors.ts';
import { checkUserCertificate } from './certificate-gate.ts';
import { hold, offerCertificate } from './held-certificate.ts';
import type { Issuer } from './issuer.ts';
import { loadKeyFile } from './key-file.ts';
import { inTime, offerKey, standInFor } from './key-offer.ts';
import type { CredentialSource, Offer } from './offer.ts';

/**
 * An actor's credential as it lies there, for who only looks: the key, or the certificate that the daemon has kept, or the
 * fallback where that is no use. No command is run and nothing is written.
 */
export function keptSource(actor: ActorConfig, issuer: Pick<Issuer, 'kept'>, env: NodeJS.ProcessEnv): CredentialSource {
  return {
    current: async () => {
      if (!actor.certCommand) return offerKey(actor, 1, undefined, env);
      try {
        return await offerKept(actor, issuer, env);
      } catch (error) {
        if (!actor.fallback) throw error;
        const { key, exception } = actor.fallback;
        return offerKey({ key }, 1, standInFor(TunnelError.from(error), exception), env);
      }
    },
  };
}

async function offerKept(actor: ActorConfig, issuer: Pick<Issuer, 'kept'>, env: NodeJS.ProcessEnv): Promise<Offer> {
  const { name, key: source, principals, caFingerprints, renewAfter } = actor;
  if (source.kind === 'agent') throw new TunnelError('internal', `actor ${name} has no key file to certify`);
  const { CREDENTIALS_DIRECTORY: directory } = env;
  const key = await inTime('the key', loadKeyFile(source.path, source.passphraseFile, directory));
  const certificate = await inTime('the kept certificate', issuer.kept());
  if (!certificate)
    throw new TunnelError('cert_command_failed', `no certificate of ${name} is kept`, {
      hint: 'The daemon obtains it when it runs; look at its log, or run cert_command by hand.',
    });
  const expected = { publicKey: key.key.getPublicSSH(), principals, caFingerprints };
  const objection = checkUserCertificate(certificate, expected, Date.now());
  if (objection)
    throw new TunnelError(objection.code, `the certificate that is kept is no use: ${objection.message}`, {
      cause: objection,
      hint: `${objection.hint} The daemon renews it while it runs; \`fleet-mesh why\` and its log say what keeps it from that.`,
    });
  return offerCertificate(hold(certificate, key, renewAfter, 0), source.path, 1);
}
