import type { Config } from '../config/config.ts';
import type { Advisory } from '../telemetry/status/advisory.ts';
import type { ConfigStatus } from '../telemetry/status/status.ts';

/** The configuration in force, and the outcome of the last reload. */
export class ConfigInForce {
  #config: Config;
  /** Of the start. Retirements, cut-overs and evidence are in this directory, and the daemon owns no other one. */
  readonly #stateDir: string;
  #loadedAt = new Date();
  #lastReload: ConfigStatus['last_reload'] = null;

  constructor(config: Config) {
    this.#config = config;
    this.#stateDir = config.stateDir;
  }

  get config(): Config {
    return this.#config;
  }

  /** Sets the configuration in force. {@link reloaded} records the outcome of the reload. */
  replace(config: Config): void {
    this.#config = config;
  }

  /** @param error why the reload that began at `at` failed; null after a success */
  reloaded(at: Date, error: string | null): void {
    if (error === null) this.#loadedAt = at;
    this.#lastReload = { ok: error === null, at, error };
  }

  /** The settings that differ from the file until a restart. */
  advisories(): Advisory[] {
    const { stateDir } = this.#config;
    if (stateDir === this.#stateDir) return [];
    const message =
      `state_dir is ${this.#stateDir} until a restart, and ${stateDir} in the file: ` +
      'without the files of the old directory, a restart forgets retirements, cut-overs and evidence';
    return [{ code: 'state_dir_moved', message }];
  }

  status(): ConfigStatus {
    const { path, sha256 } = this.#config;
    return { path, sha256, loaded_at: this.#loadedAt, last_reload: this.#lastReload };
  }
}
