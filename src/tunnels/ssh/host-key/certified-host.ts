import { TunnelError } from '../../../base/errors.ts';
import { type Certificate, parseCertificateBlob } from '../certificate/certificate.ts';
import { certificateAlgorithm } from '../certificate/certificate-type.ts';
import { fingerprint } from '../public-key.ts';
import { checkHostCertificate, type HostAuthorities } from './host-certificate.ts';
import { HOST_KEY_ALGORITHMS, type HostKeyPolicy } from './host-key-policy.ts';

/** Fetches what the host presents for one of the algorithms; undefined when it has none of them. */
export type FetchHostKey = (algorithms: readonly string[]) => Promise<Buffer | undefined>;

/** The certificates that we ask for, in our order of preference: ssh2 knows none. */
const ALGORITHMS = [...HOST_KEY_ALGORITHMS.values()].flat().map(certificateAlgorithm);

/**
 * Knows hosts by their certificates. ssh2 cannot ask for one, so it is fetched over a connection of its own, checked, and
 * its plain key is pinned for the session, whose key exchange proves that the host has it: sshd uses one key for both.
 * A certificate that was fetched is used again while it is good, so that a fleet of links costs a host one connection
 * and not one for each session (sshd_config, PerSourcePenalties).
 */
export class CertifiedHosts {
  readonly #certificates = new Map<string, Certificate>();

  /**
   * The policy for one session. Rejects with `host_cert_invalid` or `host_key_changed` when the host presents no
   * certificate that is good for it, or as `fetch` does.
   *
   * @param key which host it is, across calls
   * @param now wall clock, in milliseconds since the epoch
   */
  async policy(key: string, trusted: HostAuthorities, fetch: FetchHostKey, now: () => number): Promise<HostKeyPolicy> {
    const kept = this.#certificates.get(key);
    if (kept && checkHostCertificate(kept, trusted, now()) === undefined) {
      return this.#pin(kept, trusted.host, (presented) => {
        this.#certificates.delete(key);
        return anotherSince(trusted.host, presented, kept);
      });
    }
    this.#certificates.delete(key);
    const certificate = read(await fetch(ALGORITHMS), trusted.host);
    const error = checkHostCertificate(certificate, trusted, now());
    if (error) throw error;
    this.#certificates.set(key, certificate);
    return this.#pin(certificate, trusted.host, (presented) => {
      this.#certificates.delete(key);
      return another(trusted.host, presented, certificate);
    });
  }

  #pin({ plainType, keyBlob }: Certificate, host: string, onOther: (presented: string) => TunnelError): HostKeyPolicy {
    const algorithms = HOST_KEY_ALGORITHMS.get(plainType);
    if (algorithms === undefined) throw new TunnelError('internal', `no algorithm for the host key of ${host}`);
    return {
      algorithms,
      verify: (blob) => (blob.equals(keyBlob) ? undefined : onOther(fingerprint(blob))),
    };
  }
}

function read(blob: Buffer | undefined, host: string): Certificate {
  if (blob === undefined)
    throw new TunnelError(
      'host_cert_invalid',
      `${host} is known only by a certificate authority, but presents no host certificate`,
      {
        hint: "Have the host's key certified and named in HostCertificate (sshd_config), or add its plain key to known_hosts.",
      },
    );
  try {
    return parseCertificateBlob(blob);
  } catch (error) {
    throw new TunnelError('host_cert_invalid', `${host} presented a host certificate that cannot be read`, {
      cause: error,
      hint: 'Compare with `ssh-keygen -Lf` on the host.',
    });
  }
}

/** Two connections within seconds, two keys: not by chance. */
function another(host: string, presented: string, { keyFingerprint }: Certificate): TunnelError {
  return new TunnelError(
    'host_key_changed',
    `${host} presented ${presented}, but its host certificate is for ${keyFingerprint}`,
    { hint: "Compare HostKey and HostCertificate in the host's sshd_config: else this is what an attack looks like." },
  );
}

/** The host may have got another key and another certificate since: the next attempt asks for it. */
function anotherSince(host: string, presented: string, { keyFingerprint }: Certificate): TunnelError {
  return new TunnelError(
    'kex_failed',
    `${host} presented ${presented}, but its last host certificate was for ${keyFingerprint}`,
    { hint: 'The next attempt fetches its certificate again.' },
  );
}
