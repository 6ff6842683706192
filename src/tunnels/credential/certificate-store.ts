import { constants } from 'node:fs';
import { open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { privateDirectory } from '../../base/files/private-directory.ts';
import { stateError } from '../../base/files/state-error.ts';
import { writeAtomically } from '../../base/files/write-atomically.ts';
import { MOST_CERTIFICATE_BYTES } from './cert-command.ts';

/**
 * Where an actor's certificate survives a restart: `certificates/ACTOR/` in the state directory, 0700. The working copy of
 * the public key for `cert_command` is in the same directory (`public-key-file.ts`).
 */
export class CertificateStore {
  /** Absolute; made by {@link checkWritable}. */
  readonly directory: string;
  /** As `ssh-keygen -L -f` takes it. */
  readonly path: string;

  readonly #place: readonly [string, ...string[]];

  /** `stateDirectory` is absolute; nothing is touched yet. */
  constructor(stateDirectory: string, actor: string) {
    this.#place = [stateDirectory, 'certificates', actor];
    this.directory = join(...this.#place);
    this.path = join(this.directory, 'current.pub');
  }

  /**
   * Makes the directory, and proves that it can be written: to be asked before the CA, which would otherwise sign a
   * certificate that is lost. Rejects with `state_dir_unusable`.
   */
  async checkWritable(): Promise<void> {
    await privateDirectory(...this.#place);
    const trial = join(this.directory, 'trial');
    await writeAtomically(trial, Buffer.alloc(MOST_CERTIFICATE_BYTES));
    await unlink(trial).catch((error: unknown) => {
      throw stateError('removed', trial, error);
    });
  }

  /** What was saved last, unchecked; undefined when nothing was. Rejects with `state_dir_unusable`. */
  async load(): Promise<string | undefined> {
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    try {
      const file = await open(this.path, flags);
      try {
        const bytes = Buffer.alloc(MOST_CERTIFICATE_BYTES);
        const { bytesRead } = await file.read(bytes, 0, bytes.length, 0);
        return bytes.toString('utf8', 0, bytesRead);
      } finally {
        await file.close();
      }
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
      throw stateError('read', this.path, error);
    }
  }

  /** Atomically, 0600. `certificate` is one line of text, of at most {@link MOST_CERTIFICATE_BYTES}. Rejects with `state_dir_unusable`. */
  async save(certificate: string): Promise<void> {
    await privateDirectory(...this.#place);
    await writeAtomically(this.path, `${certificate.trim()}\n`);
  }
}
