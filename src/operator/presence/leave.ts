import { mkdir, readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { settledWithin } from '../../base/async/settled-within.ts';
import { Turns } from '../../base/async/turns.ts';
import { answered } from '../../base/files/state-file.ts';
import { StateWriter, type Unwritten } from '../../base/files/state-writer.ts';
import { writeAtomically } from '../../base/files/write-atomically.ts';
import { formatAddress } from '../../base/net/address.ts';
import { isRunning, processIdentity } from '../../base/process/identity.ts';
import type { Config } from '../../config/config.ts';
import type { ConfigEnvironment } from '../../config/paths.ts';
import type { Logger } from '../../telemetry/log/log.ts';
import { readPresence } from './find.ts';
import { directoriesOfDaemon, type Presence, RECORD_NAME, recordName } from './record.ts';

/** The end of the daemon waits no longer for the disk, in milliseconds. */
const REMOVE_MS = 1_000;

export interface PresenceDependencies {
  readonly env: ConfigEnvironment;
  /** Whether the daemon takes commands. */
  takesCommands(): boolean;
  readonly log: Logger;
}

/**
 * Leaves the addresses of this daemon on the disk, for the commands. No failure stops the daemon: commands then read
 * the addresses from the YAML, and the record is written as soon as the disk takes it.
 */
export class PresenceRecord {
  readonly #deps: PresenceDependencies;
  /** The disk sees one change at a time. */
  readonly #turns = new Turns();
  /** By path. */
  readonly #writers = new Map<string, StateWriter>();
  readonly #written = new Set<string>();
  #stopped = false;

  constructor(deps: PresenceDependencies) {
    this.#deps = deps;
  }

  /** The records that are not on the disk. */
  get unwritten(): Unwritten[] {
    return [...this.#writers.values()].flatMap(({ unwritten }) => unwritten ?? []);
  }

  /** Writes the record for this configuration. Bounded; never rejects: a failed write is tried again. */
  async leave(config: Config): Promise<void> {
    if (this.#stopped) return;
    const record: Presence = {
      owner: processIdentity(process.pid),
      config: config.path,
      endpoint: formatAddress(config.endpoint.listen),
      socket: this.#deps.takesCommands() ? config.controlSocket : null,
    };
    const text = `${JSON.stringify(record, null, 2)}\n`;
    const directories = directoriesOfDaemon(config.path, config.stateDir, this.#deps.env);
    const writers = directories.map((directory) => this.#writerIn(directory, recordName(config.path)));
    await answered(() => Promise.all(writers.map((writer) => writer.want(text)))).catch((error: unknown) => {
      if (this.#stopped) return;
      this.#deps.log.info(
        { event: 'presence.unwritten', err: error },
        'commands cannot find this daemon if its YAML becomes unreadable: the record of its addresses is not written yet',
      );
    });
  }

  /** Removes the record. Bounded; never rejects. */
  async remove(): Promise<void> {
    this.#stopped = true;
    for (const writer of this.#writers.values()) writer.giveUp();
    const remove = async () => {
      for (const path of this.#written) await unlink(path).catch(() => {});
    };
    await settledWithin(this.#turns.take(remove), REMOVE_MS);
  }

  #writerIn(directory: string, name: string): StateWriter {
    const path = join(directory, name);
    const known = this.#writers.get(path);
    if (known) return known;
    const put = async (text: string) => {
      if (this.#stopped) return;
      // The default directory may not exist: a YAML with state_dir needs none.
      await mkdir(directory, { recursive: true, mode: 0o700 });
      await removeStale(directory);
      await writeAtomically(path, text, 0o644);
      this.#written.add(path);
    };
    const writer = new StateWriter(path, async (text) => {
      if (text !== undefined) await this.#turns.take(() => put(text));
    });
    this.#writers.set(path, writer);
    return writer;
  }
}

/** Removes the records of daemons that ended without removing them, such as by kill -9. */
async function removeStale(directory: string): Promise<void> {
  for (const name of (await readdir(directory)).filter((each) => RECORD_NAME.test(each))) {
    const path = join(directory, name);
    const found = await readPresence(path);
    if (found === undefined || !isRunning(found.owner)) await unlink(path).catch(() => {});
  }
}
