import { mkdir, readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { settledWithin } from '../../base/async/settled-within.ts';
import { Turns } from '../../base/async/turns.ts';
import { answered } from '../../base/files/state-file.ts';
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
 * the addresses from the YAML.
 */
export class PresenceRecord {
  readonly #deps: PresenceDependencies;
  readonly #turns = new Turns();
  readonly #written = new Set<string>();

  constructor(deps: PresenceDependencies) {
    this.#deps = deps;
  }

  /** Writes the record for this configuration. Bounded; never rejects. */
  async leave(config: Config): Promise<void> {
    const record: Presence = {
      owner: processIdentity(process.pid),
      config: config.path,
      endpoint: formatAddress(config.endpoint.listen),
      socket: this.#deps.takesCommands() ? config.controlSocket : null,
    };
    const text = `${JSON.stringify(record, null, 2)}\n`;
    const directories = directoriesOfDaemon(config.path, config.stateDir, this.#deps.env);
    const write = async () => {
      for (const directory of directories) await this.#writeIn(directory, recordName(config.path), text);
    };
    await answered(() => this.#turns.take(write)).catch((error: unknown) => {
      this.#deps.log.info(
        { event: 'presence.unwritten', err: error },
        'commands cannot find this daemon if its YAML becomes unreadable: the record of its addresses was not written',
      );
    });
  }

  /** Removes the record. Bounded; never rejects. */
  async remove(): Promise<void> {
    const remove = async () => {
      for (const path of this.#written) await unlink(path).catch(() => {});
    };
    await settledWithin(this.#turns.take(remove), REMOVE_MS);
  }

  async #writeIn(directory: string, name: string, text: string): Promise<void> {
    // The default directory may not exist: a YAML with state_dir needs none.
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await removeStale(directory);
    const path = join(directory, name);
    await writeAtomically(path, text, 0o644);
    this.#written.add(path);
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
