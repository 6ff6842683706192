import type { TunnelError } from '../../../src/base/errors.ts';
import type { Unwritten } from '../../../src/base/files/state-writer.ts';
import type { ActorConfig } from '../../../src/config/config.ts';
import type { Issued, Issuer } from '../../../src/tunnels/credential/issuer.ts';
import { type Certificate, parseCertificate } from '../../../src/tunnels/ssh/certificate/certificate.ts';
import type { PrivateKey } from '../../../src/tunnels/ssh/private-key.ts';
import { buildCertificate, type CertificateFields, lineOf } from '../certificates/built-certificate.ts';

const HOUR = 3_600_000;

/** A CA that the test controls. */
export class FakeIssuer implements Issuer {
  runs = 0;
  /** From now, in milliseconds. */
  validFor: readonly [number, number] = [0, HOUR];
  failure: TunnelError | undefined;
  hangs = false;
  keeping: TunnelError | undefined;
  before: Certificate | undefined;
  unreadable: TunnelError | undefined;
  saved: Certificate | undefined;
  criticalOptions: CertificateFields['criticalOptions'] = [];

  async issue(_: ActorConfig, key: PrivateKey, signal: AbortSignal): Promise<Issued> {
    this.runs++;
    if (this.hangs)
      await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));
    if (this.failure) throw this.failure;
    const certificate = this.certify(key.key.getPublicSSH());
    return {
      certificate,
      save: async () => {
        if (this.keeping) throw this.keeping;
        this.saved = certificate;
      },
    };
  }

  get unwritten(): Unwritten | undefined {
    const { keeping } = this;
    return keeping && { path: 'current.pub', code: 'EROFS', message: keeping.message, since: new Date() };
  }

  async kept(): Promise<Certificate | undefined> {
    if (this.unreadable) throw this.unreadable;
    return this.before;
  }

  certify(subject: Buffer, [from, to] = this.validFor): Certificate {
    const at = (ms: number) => BigInt(Math.round((Date.now() + ms) / 1000));
    const fields = {
      subject,
      serial: BigInt(this.runs),
      validAfter: at(from),
      validBefore: at(to),
      criticalOptions: this.criticalOptions,
    };
    return parseCertificate(lineOf(buildCertificate(fields)));
  }
}
