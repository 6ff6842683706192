import type { AnyAuthMethod, Client, ParsedKey } from 'ssh2';
import { TunnelError } from '../errors.ts';
import { listIdentities, signInAgent } from './agent-client.ts';
import { type Certificate, parseCertificateBlob } from './certificate.ts';
import { isCertificateBlob } from './certificate-type.ts';
import { assertCertified, certificateIdentities, type Identity, publicKeyForSsh2 } from './identity.ts';
import { type Keyring, RequestSigner } from './request-signer.ts';
import { signWith } from './signature-algorithm.ts';

/**
 * The list for the `authHandler` of one ssh2 client (RFC 4252 section 7, "publickey"). ssh2 tries exactly what is listed,
 * so there is no `none` request first and never a fallback to something else.
 */
export type UserAuth = (client: Client) => [AnyAuthMethod];

/** The private key alone. */
export function publicKeyAuth(username: string, key: ParsedKey): UserAuth {
  return () => [{ type: 'publickey', username, key }];
}

/** The certificate alone, never its plain key. Throws `cert_invalid` when it is for another key. */
export function certificateAuth(username: string, key: ParsedKey, certificate: Certificate): UserAuth {
  assertCertified(certificate, key);
  const keyring: Keyring = {
    identities: async () => certificateIdentities(certificate, key),
    sign: async (_, algorithm, data) => signWith(key, algorithm, data),
  };
  return (client) => [{ type: 'agent', username, agent: new RequestSigner(client, keyring) }];
}

/**
 * Each identity that the agent holds, until one is accepted: certificates first, each kind in the agent's order.
 *
 * @param socket the agent's Unix socket
 * @param wanted whether to offer a certificate: one that cannot work costs a try
 */
export function agentAuth(username: string, socket: string, wanted: (certificate: Certificate) => boolean): UserAuth {
  const keyring: Keyring = {
    async identities(signal) {
      const blobs = await listIdentities(socket, signal);
      const [certified, plain] = [blobs.filter(isCertificateBlob), blobs.filter((blob) => !isCertificateBlob(blob))];
      return [...certified.flatMap((blob) => certifiedInAgent(blob, wanted)), ...plain.flatMap(plainInAgent)];
    },
    sign: (offered, algorithm, data, signal) => signInAgent(socket, offered.getPublicSSH(), algorithm, data, signal),
  };
  return (client) => [{ type: 'agent', username, agent: new RequestSigner(client, keyring) }];
}

function certifiedInAgent(blob: Buffer, wanted: (certificate: Certificate) => boolean): Identity[] {
  const certificate = readable(blob);
  const key = certificate && publicKeyForSsh2(certificate.keyBlob);
  return certificate && key && wanted(certificate) ? certificateIdentities(certificate, key) : [];
}

function plainInAgent(blob: Buffer): Identity[] {
  const offered = publicKeyForSsh2(blob);
  return offered ? [{ offered, algorithm: undefined }] : [];
}

/** An agent may hold what is of no use here; that must not keep the rest from being tried. */
function readable(blob: Buffer): Certificate | undefined {
  try {
    return parseCertificateBlob(blob);
  } catch (error) {
    if (error instanceof TunnelError) return undefined;
    throw error;
  }
}
