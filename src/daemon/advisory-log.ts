import type { Logger } from '../telemetry/log/log.ts';
import type { Advisory } from '../telemetry/status/advisory.ts';

/** Logs each advisory once when it appears and once when it clears. */
export class AdvisoryLog {
  readonly #log: Logger;
  #logged = new Map<string, Advisory>();

  constructor(log: Logger) {
    this.#log = log;
  }

  update(advisories: readonly Advisory[]): void {
    const now = new Map(advisories.map((advisory) => [`${advisory.code}\n${advisory.message}`, advisory]));
    for (const [key, { code, message }] of now) {
      if (!this.#logged.has(key)) this.#log.warn({ event: 'advisory.raised', code }, message);
    }
    for (const [key, { code, message }] of this.#logged) {
      if (!now.has(key)) this.#log.info({ event: 'advisory.cleared', code }, `cleared: ${message}`);
    }
    this.#logged = now;
  }
}
