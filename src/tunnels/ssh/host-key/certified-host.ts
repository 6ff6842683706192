import { TunnelError } from '../../../base/errors.ts';
import { type Certificate, parseCertificateBlob } from '../certificate/certificate.ts';
import { certificateAlgorithm } from '../certificate/certificate-type.ts';
import { fingerprint } from '../public-key.ts';
import { checkHostCertificate, type HostAuthorities } from './host-certificate.ts';
import { HOST_KEY_ALGORITHMS, type HostKeyPolicy } from './host-key-policy.ts';

/** Fetches the host key or certificate for one of the algorithms; undefined when the host has none of them. */
export type FetchHostKey = (algorithms: readonly string[]) => Promise<Buffer | undefined>;

/** The certificate algorithms to request, in order of preference; ssh2 supports none. */
const ALGORITHMS = [...HOST_KEY_ALGORITHMS.values()].flat().map(certificateAlgorithm);

/**
 * Verifies hosts by their certificates. ssh2 cannot request a host certificate, so a separate connection fetches it. After
 * the checks, the plain key is pinned for the session; the key exchange proves that the host has the key, because sshd
 * uses one key for both. A valid certificate is used again, so many links cost a host only one extra connection
 * (sshd_config, PerSourcePenalties).
 */
export class CertifiedHosts {
  readonly #certificates = new Map<string, Certificate>();

  /**
   * The policy for one session. Rejects with `host_cert_invalid` or `host_key_changed` when the host presents no valid
   * certificate for its name, or as `fetch` does.
   *
   * @param key identifies the host across calls
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
      `${host} presented no host certificate, but known_hosts has only a CA for this host`,
      {
        hint: 'Sign the host key and set HostCertificate in sshd_config, or add the plain key to known_hosts.',
      },
    );
  try {
    return parseCertificateBlob(blob);
  } catch (error) {
    throw new TunnelError('host_cert_invalid', `${host} presented a damaged or unsupported host certificate`, {
      cause: error,
      hint: 'Check the certificate on the host with `ssh-keygen -Lf`.',
    });
  }
}

/** Two keys on two connections within seconds are no accident. */
function another(host: string, presented: string, { keyFingerprint }: Certificate): TunnelError {
  return new TunnelError(
    'host_key_changed',
    `${host} presented ${presented}, but its host certificate is for ${keyFingerprint}`,
    { hint: "Compare HostKey and HostCertificate in the host's sshd_config. If both match, suspect an attack." },
  );
}

/** The host may have a new key and a new certificate: the next attempt fetches the certificate. */
function anotherSince(host: string, presented: string, { keyFingerprint }: Certificate): TunnelError {
  return new TunnelError(
    'kex_failed',
    `${host} presented ${presented}, but its last host certificate was for ${keyFingerprint}`,
    { hint: 'The next attempt fetches the certificate again.' },
  );
}
