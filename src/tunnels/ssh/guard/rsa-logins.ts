import { type Extension, type Incoming, SIGNATURE_ALGORITHMS } from './incoming.ts';

const SHA_2: readonly string[] = ['rsa-sha2-256', 'rsa-sha2-512'];

/**
 * Keeps SHA-1 out of the signatures of RSA keys (RFC 8332). ssh2 signs with SHA-1 when a server lists no algorithms, or
 * only `ssh-rsa`. A server that lists none is asked with SHA-256: many servers accept that without saying so.
 *
 * @param onOnlySha1 called when the server accepts RSA keys with SHA-1 alone; ssh2 then offers no RSA key
 */
export function signRsaWithSha2(incoming: Incoming, onOnlySha1: () => void): void {
  let listed = false;
  incoming.watch('EXT_INFO', (extensions: readonly Extension[]) => {
    const algorithms = extensions.find(({ name }) => name === SIGNATURE_ALGORITHMS)?.algs;
    // Only the first list counts.
    if (algorithms === undefined || listed) return false;
    listed = true;
    if (!algorithms.includes('ssh-rsa')) return true;
    if (!algorithms.some((each) => SHA_2.includes(each))) onOnlySha1();
    incoming.pretendAlgorithms(algorithms.filter((each) => each !== 'ssh-rsa'));
    return false;
  });
  incoming.watch('SERVICE_ACCEPT', () => {
    if (!listed) incoming.pretendAlgorithms(SHA_2);
    listed = true;
    return true;
  });
}
