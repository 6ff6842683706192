import type { Config } from '../config/config.ts';
import type { ConfigStatus } from '../telemetry/status/status.ts';

/** The configuration in force, and the outcome of the last reload. */
export class ConfigInForce {
  #config: Config;
  #loadedAt = new Date();
  #lastReload: ConfigStatus['last_reload'] = null;

  constructor(config: Config) {
    this.#config = config;
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

  status(): ConfigStatus {
    const { path, sha256 } = this.#config;
    return { path, sha256, loaded_at: this.#loadedAt, last_reload: this.#lastReload };
  }
}
