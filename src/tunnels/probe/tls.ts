import { isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import { checkServerIdentity, connect, type PeerCertificate, type TLSSocket } from 'node:tls';
import { messageOf, TunnelError } from '../../base/errors.ts';
import { readRegular } from '../../base/files/regular-file.ts';
import { type Address, parseAddress } from '../../base/net/address.ts';
import type { HttpRequest, TlsSettings } from '../../config/config.ts';
import { wrongAnswer } from './through-channel.ts';

/** Some hundred CAs are a quarter of this; a larger file, in bytes, is no list of CAs. */
const MOST_CA_BYTES = 4 * 1024 * 1024;

/** When the certificate of a target is valid. */
export interface Validity {
  readonly validAfter: Date;
  readonly validBefore: Date;
}

/** Called with the certificate of the target, also with one that is then rejected. */
export type TakeValidity = (validity: Validity) => void;

/** The name that the certificate must have: as configured, or the virtual host, or the target. */
export function serverNameOf(target: Address, { serverName, host }: TlsSettings & Pick<HttpRequest, 'host'>): string {
  if (serverName !== undefined) return serverName;
  const virtual = host === undefined ? undefined : parseAddress(/:\d+$/.test(host) ? host : `${host}:1`);
  if (virtual?.kind === 'tcp') return virtual.host;
  return target.kind === 'tcp' ? target.host : 'localhost';
}

/**
 * Begins TLS on the stream of a channel, and verifies the certificate before anything is sent. Rejects with
 * `target_unreachable` when the target does not speak TLS or its certificate is not accepted, and with `internal` when the
 * CA file cannot be read.
 */
export async function secured(
  stream: Duplex,
  name: string,
  ca: string | undefined,
  over: AbortSignal,
  onValidity: TakeValidity,
): Promise<TLSSocket> {
  const authorities = ca === undefined ? {} : { ca: await readAuthorities(ca) };
  over.throwIfAborted();
  const socket = await new Promise<TLSSocket>((resolve, reject) => {
    const began = connect({
      socket: stream,
      ...authorities,
      // RFC 6066 section 3: no SNI for an address. The name is checked below.
      ...(isIP(name) === 0 ? { servername: name } : { host: name }),
      ALPNProtocols: ['http/1.1'],
      // Judged below, before the first byte is sent: the expiry of a rejected certificate is wanted, too.
      rejectUnauthorized: false,
    });
    // For the life of the socket: it can fail at any time.
    began.on('error', (error) => reject(wrongAnswer(`the target does not speak TLS: ${reasonOf(error)}`, error)));
    began.once('secureConnect', () => resolve(began));
    over.addEventListener('abort', () => began.destroy(), { once: true });
  });
  const certificate = socket.getPeerCertificate();
  const validity = { validAfter: new Date(certificate.valid_from), validBefore: new Date(certificate.valid_to) };
  onValidity(validity);
  const objection = objectionTo(socket, certificate, name);
  if (objection !== undefined) {
    socket.destroy();
    throw wrongAnswer(`the certificate of ${name} is rejected: ${objection}`);
  }
  return socket;
}

/** Undefined when the certificate is valid, comes from an accepted CA, and is for the name. */
function objectionTo(socket: TLSSocket, certificate: PeerCertificate, name: string): string | undefined {
  const identity = checkServerIdentity(name, certificate);
  // Node reports the identity as well, without the names.
  if (socket.authorized && identity === undefined) return undefined;
  const code = String(socket.authorizationError ?? '');
  if (code === 'CERT_HAS_EXPIRED') return `it expired at ${new Date(certificate.valid_to).toISOString()}`;
  if (code === 'CERT_NOT_YET_VALID') return `it is valid only from ${new Date(certificate.valid_from).toISOString()}`;
  if (identity !== undefined && (code === '' || code === 'ERR_TLS_CERT_ALTNAME_INVALID'))
    return `it is for other names: ${certificate.subjectaltname ?? 'none'}`;
  return `it does not come from an accepted CA (${code})`;
}

async function readAuthorities(path: string): Promise<string> {
  try {
    // A FIFO would hold a thread of the process at each probe.
    return (await readRegular(path, MOST_CA_BYTES)).toString('utf8');
  } catch (error) {
    throw new TunnelError('internal', `the CA file of the probe cannot be read: ${messageOf(error)}`, {
      cause: error,
      hint: 'Check `ca` of the probe: the daemon user must be able to read the file.',
    });
  }
}

/** OpenSSL puts its own source file into the message. */
function reasonOf(error: Error): string {
  if ('reason' in error && typeof error.reason === 'string') return error.reason;
  return 'code' in error && error.code === 'ECONNRESET' ? 'it closed the connection' : error.message;
}
