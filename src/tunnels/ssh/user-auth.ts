import type { AnyAuthMethod, Client, ParsedKey } from 'ssh2';
import { signInAgent } from './agent-client.ts';
import { type Certificate, parseCertificateBlob } from './certificate/certificate.ts';
import { isCertificateBlob } from './certificate/certificate-type.ts';
import { signWith } from './certificate/signature-algorithm.ts';
import { assertCertified, certificateIdentities, type Identity, publicKeyForSsh2 } from './identity.ts';
import { type Keyring, RequestSigner } from './request-signer.ts';

/**
 * The list for the `authHandler` of one ssh2 client (RFC 4252 section 7, "publickey"). ssh2 tries only this list: no
 * `none` request first, and no other method later.
 */
export type UserAuth = (client: Client) => [AnyAuthMethod];

/** The private key alone. */
export function publicKeyAuth(username: string, key: ParsedKey): UserAuth {
  return () => [{ type: 'publickey', username, key }];
}

/** The certificate alone, never its plain key. Throws `cert_invalid` when the certificate is for another key. */
export function certificateAuth(username: string, key: ParsedKey, certificate: Certificate): UserAuth {
  assertCertified(certificate, key);
  const keyring: Keyring = {
    identities: async () => certificateIdentities(certificate, key),
    sign: async (_, algorithm, data) => signWith(key, algorithm, data),
  };
  return (client) => [{ type: 'agent', username, agent: new RequestSigner(client, keyring) }];
}

/**
 * Identities of an agent, one after the other until the server accepts one.
 *
 * @param socket the agent's Unix socket
 * @param blobs the offered keys and checked certificates, in this order
 */
export function agentAuth(username: string, socket: string, blobs: readonly Buffer[]): UserAuth {
  const keyring: Keyring = {
    identities: async () =>
      blobs.flatMap((blob) => (isCertificateBlob(blob) ? certifiedInAgent(blob) : plainInAgent(blob))),
    sign: (offered, algorithm, data, signal) => signInAgent(socket, offered.getPublicSSH(), algorithm, data, signal),
  };
  return (client) => [{ type: 'agent', username, agent: new RequestSigner(client, keyring) }];
}

function certifiedInAgent(blob: Buffer): Identity[] {
  const certificate = parseCertificateBlob(blob);
  const key = publicKeyForSsh2(certificate.keyBlob);
  return key ? certificateIdentities(certificate, key) : [];
}

function plainInAgent(blob: Buffer): Identity[] {
  const offered = publicKeyForSsh2(blob);
  return offered ? [{ offered, algorithm: undefined }] : [];
}
