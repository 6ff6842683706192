import { TunnelError } from '../../../src/base/errors.ts';
import { type Certificate, FOREVER, parseCertificate } from '../../../src/tunnels/ssh/certificate/certificate.ts';
import { verifySignature } from '../../../src/tunnels/ssh/certificate/certificate-signature.ts';
import { wireString } from '../../../src/tunnels/ssh/wire.ts';
import { buildCertificate, goodFields, type KeyKind, lineOf, signingKey } from './built-certificate.ts';

/** Uniform in [0, 1), the same for the same seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const keys = (['ed25519', 'nistp256', 'nistp384', 'nistp521', 'rsa'] satisfies KeyKind[]).map(signingKey);
/** A signature by RSA costs a hundred times as much. */
const authorities = keys.slice(0, 2);

/**
 * Changed certificates: fields with odd values, bytes changed before the CA signed (so that the signature is valid and
 * only the parser is tested), bytes changed afterwards, and edited lines.
 */
export class Mutator {
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  line(): string {
    const kind = this.#below(10);
    if (kind < 3) return lineOf(this.#certificate());
    if (kind < 6) return lineOf(this.#resigned());
    if (kind < 9) return safeLineOf(this.#changed(this.#certificate()));
    return this.#changed(Buffer.from(lineOf(this.#certificate()))).toString('utf8');
  }

  #certificate(): Buffer {
    const subject = this.#one(keys);
    const time = () => this.#one([0n, FOREVER, 1_700_000_000n, BigInt(this.#below(2 ** 31))]);
    const text = () =>
      this.#one(['', 'a', 'atm-fleet-mesh', 'é', '日本', 'a b', ',', '"', '-'.repeat(this.#below(80))]);
    const names = ['permit-port-forwarding', 'permit-pty', 'verify-required', 'force-command', 'x@example', text()];
    const data = () => this.#one([Buffer.alloc(0), wireString(text()), Buffer.of(1), Buffer.alloc(this.#below(9))]);
    const options = () => this.#several(3, () => [this.#one(names), data()] as const);
    const ca = this.#one(authorities);
    return buildCertificate({
      ...goodFields,
      type: `${subject.type}-cert-v01@openssh.com`,
      subject: subject.blob,
      serial: this.#one([0n, 1n, FOREVER]),
      role: this.#one([1, 1, 1, 2, 2, 0, 3]),
      keyId: text(),
      principals: this.#several(4, text),
      validAfter: time(),
      validBefore: time(),
      criticalOptions: options(),
      extensions: options(),
      ca,
      algorithm: ca.type,
    });
  }

  /** Changes the signed bytes, then signs them with their CA if they still name the CA. */
  #resigned(): Buffer {
    const blob = this.#certificate();
    const ca = this.#one(authorities);
    const at = blob.lastIndexOf(ca.blob);
    if (at < 0) return blob;
    const body = this.#changed(blob.subarray(0, at - 4));
    const signed = Buffer.concat([body, wireString(ca.blob)]);
    return Buffer.concat([signed, wireString(ca.sign(signed))]);
  }

  #changed(bytes: Buffer): Buffer {
    let changed = Buffer.from(bytes);
    for (let times = 1 + this.#below(2); times > 0; times--) changed = this.#changedOnce(changed);
    return changed;
  }

  #changedOnce(bytes: Buffer<ArrayBuffer>): Buffer<ArrayBuffer> {
    if (bytes.length === 0) return bytes;
    const at = this.#below(bytes.length);
    const end = Math.min(bytes.length, at + 1 + this.#below(8));
    switch (this.#below(6)) {
      case 0:
        bytes[at] = (bytes[at] ?? 0) ^ (1 << this.#below(8));
        return bytes;
      case 1:
        bytes[at] = this.#one([0, 1, 0x7f, 0x80, 0xff, this.#below(256)]);
        return bytes;
      case 2:
        return Buffer.concat([bytes.subarray(0, at), bytes.subarray(end)]);
      case 3:
        return Buffer.concat([bytes.subarray(0, end), bytes.subarray(at)]);
      case 4:
        return Buffer.concat([bytes.subarray(0, at), Buffer.alloc(1 + this.#below(5)), bytes.subarray(at)]);
      default:
        return bytes.subarray(0, at);
    }
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  #one<T>(items: readonly T[]): T {
    return items[this.#below(items.length)] as T;
  }

  #several<T>(most: number, make: () => T): T[] {
    return Array.from({ length: this.#below(most + 1) }, make);
  }
}

/** Gives a blob whose type has moved the usual type. */
function safeLineOf(blob: Buffer): string {
  try {
    const line = lineOf(blob);
    return /^[\w.@-]+ /.test(line) ? line : `${goodFields.type} ${blob.toString('base64')}`;
  } catch {
    return `${goodFields.type} ${blob.toString('base64')}`;
  }
}

/** The certificate in a line, if it parses and its signature is valid. Throws for errors other than cert_invalid. */
export function accepted(line: string): Certificate | undefined {
  try {
    const certificate = parseCertificate(line);
    return verifySignature(certificate) === 'valid' ? certificate : undefined;
  } catch (error) {
    if (error instanceof TunnelError && error.code === 'cert_invalid') return undefined;
    throw error;
  }
}

/** Whether the listing of a text of its own could be told from what surrounds it, and its times lie in ssh-keygen's range. */
export function isComparable({ keyId, principals, criticalOptions, extensions, ...times }: Certificate): boolean {
  const texts = [keyId, ...principals, ...criticalOptions.keys(), ...extensions.keys()];
  const values = [...criticalOptions.values()].map((data) => data.toString('utf8', 4));
  const inRange = [times.validAfter, times.validBefore].every((time) => time === FOREVER || time < 2n ** 31n);
  return inRange && times.validAfter !== FOREVER && ![...texts, ...values].some((text) => /\p{Cc}/u.test(text));
}
