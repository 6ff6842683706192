import { TunnelError } from '../../../base/errors.ts';
import { printable } from '../../../base/text/printable.ts';
import { fingerprint, readPublicKey } from '../public-key.ts';
import { WireError, WireReader, wireString } from '../wire.ts';
import { certificateLine } from './certificate-line.ts';
import { plainTypeOf } from './certificate-type.ts';

/** An OpenSSH certificate (OpenSSH PROTOCOL.certkeys), parsed but not verified. Do not trust a field before the checks. */
export interface Certificate {
  /** `type base64`, without a comment, for a `-cert.pub` file. */
  readonly line: string;
  readonly blob: Buffer;
  /** E.g. `ssh-ed25519-cert-v01@openssh.com`. */
  readonly type: string;
  /** Type of the certified key, e.g. `ssh-ed25519`. */
  readonly plainType: string;
  /** The certified public key as a blob of its own (RFC 4253 section 6.6). */
  readonly keyBlob: Buffer;
  readonly keyFingerprint: string;
  readonly role: 'user' | 'host';
  readonly serial: bigint;
  readonly keyId: string;
  readonly principals: readonly string[];
  /** First second of validity since the epoch; 0 means always. */
  readonly validAfter: bigint;
  /** First second after the validity; {@link FOREVER} means no end. */
  readonly validBefore: bigint;
  /** By name; the raw data of each option, empty for a flag. */
  readonly criticalOptions: ReadonlyMap<string, Buffer>;
  readonly extensions: ReadonlyMap<string, Buffer>;
  readonly caKeyBlob: Buffer;
  readonly caFingerprint: string;
  /** The bytes that the CA signed. */
  readonly signed: Buffer;
  readonly signature: CertificateSignature;
}

export interface CertificateSignature {
  /** E.g. `rsa-sha2-512` (RFC 8332). */
  readonly algorithm: string;
  readonly bytes: Buffer;
}

/** `validBefore` of a certificate without an end. */
export const FOREVER = 0xffff_ffff_ffff_ffffn;

/** Limit of OpenSSH (SSHKEY_CERT_MAX_PRINCIPALS). */
const MAX_PRINCIPALS = 256;
/** Largest time of a Date (ECMA-262, Time Values), in seconds. */
const LAST_SECOND = 8_640_000_000_000n;

type OptionKind = 'flag' | 'text';

const CRITICAL: ReadonlyMap<string, OptionKind> = new Map([
  ['force-command', 'text'],
  ['source-address', 'text'],
  ['verify-required', 'flag'],
]);
const EXTENSIONS: ReadonlyMap<string, OptionKind> = new Map([
  ['no-touch-required', 'flag'],
  ['permit-X11-forwarding', 'flag'],
  ['permit-agent-forwarding', 'flag'],
  ['permit-port-forwarding', 'flag'],
  ['permit-pty', 'flag'],
  ['permit-user-rc', 'flag'],
]);

const USER = 1;
const HOST = 2;

/** A time of a certificate as a Date; undefined for {@link FOREVER} and other times beyond the range of a Date. */
export function certificateTime(seconds: bigint): Date | undefined {
  return seconds > LAST_SECOND ? undefined : new Date(Number(seconds) * 1000);
}

/** A time of a certificate as text. */
export function timeText(seconds: bigint): string {
  return certificateTime(seconds)?.toISOString() ?? 'the end of time';
}

/** Addresses from which a server accepts the certificate (PROTOCOL.certkeys); undefined: all addresses. */
export function sourceAddresses({ criticalOptions }: Pick<Certificate, 'criticalOptions'>): string | undefined {
  const data = criticalOptions.get('source-address');
  return data && printable(new WireReader(data).text(), 200);
}

/**
 * The restrictions of a certificate, for people. A forced command does not affect tunnels, only a shell with the same
 * certificate. The command itself is not shown, because it may contain a secret.
 */
export function restrictions(certificate: Pick<Certificate, 'criticalOptions'>): string[] {
  const sources = sourceAddresses(certificate);
  return [
    ...(certificate.criticalOptions.has('force-command') ? ['force-command'] : []),
    ...(sources === undefined ? [] : [`source-address=${sources}`]),
  ];
}

/** Parses exactly one certificate, as cert_command prints it. Throws `cert_invalid` with the kind of text found. */
export function parseCertificate(text: string): Certificate {
  return parseCertificateBlob(certificateLine(text));
}

/** Parses exactly one certificate of a supported type. Throws `cert_invalid`, also for extra bytes. */
export function parseCertificateBlob(blob: Buffer): Certificate {
  try {
    return read(blob);
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    throw new TunnelError('cert_invalid', `the certificate is damaged: ${error.message}`, { cause: error });
  }
}

function read(blob: Buffer): Certificate {
  const reader = new WireReader(blob);
  const type = reader.text();
  const plainType = plainTypeOf(type);
  if (plainType === undefined) throw new WireError('the type is not supported');
  reader.string(); // The nonce: it only makes the signed bytes unpredictable.
  const keyStart = reader.position;
  readPublicKey(plainType, reader);
  const keyBlob = Buffer.concat([wireString(plainType), blob.subarray(keyStart, reader.position)]);
  const serial = reader.uint64();
  const role = readRole(reader);
  const keyId = reader.text();
  const principals = readPrincipals(reader.string());
  const validAfter = reader.uint64();
  const validBefore = reader.uint64();
  const criticalOptions = readOptions(reader.string(), CRITICAL);
  const extensions = readOptions(reader.string(), EXTENSIONS);
  reader.string(); // Reserved.
  const caKeyBlob = reader.string();
  const signed = blob.subarray(0, reader.position);
  const signature = readSignature(reader.string());
  reader.end();
  return {
    line: `${type} ${blob.toString('base64')}`,
    blob,
    type,
    plainType,
    keyBlob,
    keyFingerprint: fingerprint(keyBlob),
    role,
    serial,
    keyId,
    principals,
    validAfter,
    validBefore,
    criticalOptions,
    extensions,
    caKeyBlob,
    caFingerprint: fingerprint(caKeyBlob),
    signed,
    signature,
  };
}

function readRole(reader: WireReader): Certificate['role'] {
  const role = reader.uint32();
  if (role === USER) return 'user';
  if (role === HOST) return 'host';
  throw new WireError('the role is neither user nor host');
}

function readPrincipals(bytes: Buffer): string[] {
  const reader = new WireReader(bytes);
  const principals: string[] = [];
  while (reader.left > 0) principals.push(reader.text());
  if (principals.length > MAX_PRINCIPALS) throw new WireError(`there are more than ${MAX_PRINCIPALS} principals`);
  return principals;
}

/** PROTOCOL.certkeys requires sorted options. sshd and ssh do not check the order, and some CAs do not sort. */
function readOptions(bytes: Buffer, known: ReadonlyMap<string, OptionKind>): Map<string, Buffer> {
  const reader = new WireReader(bytes);
  const options = new Map<string, Buffer>();
  while (reader.left > 0) {
    const name = reader.text();
    if (options.has(name)) throw new WireError('an option occurs twice');
    const data = reader.string();
    checkOption(data, known.get(name));
    options.set(name, data);
  }
  return options;
}

/** Checks the kind of the data only, as OpenSSH does. Other code decides what the option means. */
function checkOption(data: Buffer, kind: OptionKind | undefined): void {
  if (kind === undefined) return;
  const reader = new WireReader(data);
  if (kind === 'text') reader.text();
  reader.end();
}

function readSignature(bytes: Buffer): CertificateSignature {
  const reader = new WireReader(bytes);
  const signature = { algorithm: reader.text(), bytes: reader.string() };
  reader.end();
  return signature;
}
