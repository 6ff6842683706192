import { constants } from 'node:fs';
import { open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { privateDirectory } from '../../base/files/private-directory.ts';
import { StateDisk } from '../../base/files/state-disk.ts';
import { stateError } from '../../base/files/state-error.ts';
import { answered } from '../../base/files/state-file.ts';
import { StateWriter, type Unwritten } from '../../base/files/state-writer.ts';
import { writeAtomically } from '../../base/files/write-atomically.ts';
import { MOST_CERTIFICATE_BYTES } from './cert-command.ts';

const NAME = 'current.pub';

/**
 * Saves an actor's certificate across restarts, in `certificates/ACTOR/` of the state directory, 0700. The public key
 * for `cert_command` is in the same directory (`public-key-file.ts`).
 */
export class CertificateStore {
  /** Absolute; made by {@link checkWritable}. */
  readonly directory: string;
  /** A file that `ssh-keygen -L -f` can read. */
  readonly path: string;

  readonly #place: readonly [string, ...string[]];
  readonly #writer: StateWriter;

  /** `stateDirectory` is absolute; the constructor does not touch the disk. */
  constructor(stateDirectory: string, actor: string) {
    this.#place = [stateDirectory, 'certificates', actor];
    this.directory = join(...this.#place);
    this.path = join(this.directory, NAME);
    const disk = new StateDisk(this.#place, NAME);
    this.#writer = new StateWriter(this.path, (text) => disk.change(text));
  }

  /** Since when the disk does not have the certificate saved last, and why; undefined while it does. */
  get unwritten(): Unwritten | undefined {
    return this.#writer.unwritten;
  }

  /**
   * Makes the directory and proves that it is writable. Call this before the CA signs: a certificate that cannot be
   * saved is lost. Rejects with `state_dir_unusable`.
   */
  async checkWritable(): Promise<void> {
    await privateDirectory(...this.#place);
    const trial = join(this.directory, 'trial');
    await writeAtomically(trial, Buffer.alloc(MOST_CERTIFICATE_BYTES));
    await unlink(trial).catch((error: unknown) => {
      throw stateError('removed', trial, error);
    });
  }

  /** The certificate saved last, unchecked; undefined when none was saved. Rejects with `state_dir_unusable`. */
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

  /**
   * Saves one line of at most {@link MOST_CERTIFICATE_BYTES}, atomically, 0600. Rejects with `state_dir_unusable` when an
   * attempt fails, or takes too long; the attempts go on until the disk has this certificate, or a newer one.
   */
  save(certificate: string): Promise<void> {
    return answered(() => this.#writer.want(`${certificate.trim()}\n`));
  }
}
