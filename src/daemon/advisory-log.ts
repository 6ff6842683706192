import type { Logger } from '../telemetry/log/log.ts';
import type { Advisory } from '../telemetry/status/advisory.ts';

/** Tells each advisory once when it comes, and once when it goes. */
export class AdvisoryLog {
  readonly #log: Logger;
  #told = new Map<string, Advisory>();

  constructor(log: Logger) {
    this.#log = log;
  }

  update(advisories: readonly Advisory[]): void {
    const now = new Map(advisories.map((advisory) => [`${advisory.code}\n${advisory.message}`, advisory]));
    for (const [key, { code, message }] of now) {
      if (!this.#told.has(key)) this.#log.warn({ event: 'advisory.raised', code }, message);
    }
    for (const [key, { code, message }] of this.#told) {
      if (!now.has(key)) this.#log.info({ event: 'advisory.cleared', code }, `no longer: ${message}`);
    }
    this.#told = now;
  }
}
