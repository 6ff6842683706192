import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TunnelError } from '../../base/errors.ts';
import type { Unwritten } from '../../base/files/state-writer.ts';
import type { ActorConfig } from '../../config/config.ts';
import { type Certificate, parseCertificate } from '../ssh/certificate/certificate.ts';
import type { PrivateKey } from '../ssh/private-key.ts';
import { runCertCommand } from './cert-command.ts';
import { CertificateStore } from './certificate-store.ts';
import { inTime, READ_MS } from './key-offer.ts';
import { writePublicKeyFile } from './public-key-file.ts';

/** A new certificate from the command; not checked yet. */
export interface Issued {
  readonly certificate: Certificate;
  /** Saves the certificate for the next start. Rejects with `state_dir_unusable` when the first attempt fails, and goes on. */
  save(): Promise<void>;
}

/** Where an actor's certificates come from: `cert_command`, and the certificate that an earlier run saved. */
export interface Issuer {
  /** Rejects with a TunnelError. Bounded by the command's time-out. */
  issue(actor: ActorConfig, key: PrivateKey, signal: AbortSignal): Promise<Issued>;
  /** The certificate saved last, unchecked; undefined when none was saved. Rejects with a TunnelError. */
  kept(): Promise<Certificate | undefined>;
  /** Since when the certificate to save is not on the disk, and why; undefined while it is. */
  readonly unwritten: Unwritten | undefined;
}

/** Runs `cert_command`, and saves certificates in the state directory. */
export class CommandIssuer implements Issuer {
  readonly #store: CertificateStore;
  readonly #env: NodeJS.ProcessEnv;

  /** @param env the daemon's */
  constructor(stateDirectory: string, actor: string, env: NodeJS.ProcessEnv) {
    this.#store = new CertificateStore(stateDirectory, actor);
    this.#env = env;
  }

  async issue(actor: ActorConfig, key: PrivateKey, signal: AbortSignal): Promise<Issued> {
    const { certCommand, key: source } = actor;
    if (!certCommand || source.kind !== 'file')
      throw new TunnelError('internal', `actor ${actor.name} has no cert_command or no key file`);
    const place = await this.#place();
    try {
      const publicKeyPath = await writePublicKeyFile({
        actor: actor.name,
        keyPath: source.path,
        key,
        directory: place.directory,
      });
      const text = await runCertCommand({ ...certCommand, publicKeyPath, env: this.#env }, signal);
      const certificate = parseCertificate(text);
      return {
        certificate,
        save: () => this.#store.save(certificate.line),
      };
    } finally {
      if (place.unwritable) await rm(place.directory, { recursive: true, force: true });
    }
  }

  get unwritten(): Unwritten | undefined {
    return this.#store.unwritten;
  }

  async kept(): Promise<Certificate | undefined> {
    const text = await this.#store.load();
    return text === undefined ? undefined : parseCertificate(text);
  }

  /**
   * The directory of the public key for the command. With a full or read-only disk, the certificate is used before
   * it is saved, and an advisory says so.
   */
  async #place(): Promise<{ readonly directory: string; readonly unwritable: TunnelError | undefined }> {
    try {
      await inTime(this.#store.directory, this.#store.checkWritable(), READ_MS, 'state_dir_unusable');
      return { directory: this.#store.directory, unwritable: undefined };
    } catch (thrown) {
      const unwritable = TunnelError.from(thrown);
      const directory = await mkdtemp(join(tmpdir(), 'fleet-mesh-')).catch(() => {
        throw unwritable;
      });
      return { directory, unwritable };
    }
  }
}
