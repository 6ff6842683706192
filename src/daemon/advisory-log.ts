import type { Logger } from '../telemetry/log/log.ts';
import type { Advisory, AdvisoryCode } from '../telemetry/status/advisory.ts';

/** An outage without a symptom: the log says so again and again, after this time in milliseconds. */
const AGAIN_MS = 3_600_000;
const TOLD_AGAIN: ReadonlySet<AdvisoryCode> = new Set(['session_replacement_failing']);

interface Logged {
  readonly advisory: Advisory;
  /** As of performance.now(). */
  readonly at: number;
}

/**
 * Logs each advisory once when it appears and once when it clears, however often its message changes meanwhile. A few come
 * again each hour.
 */
export class AdvisoryLog {
  readonly #log: Logger;
  #logged = new Map<string, Logged>();

  constructor(log: Logger) {
    this.#log = log;
  }

  /** @param now as of performance.now() */
  update(advisories: readonly Advisory[], now = performance.now()): void {
    const before = this.#logged;
    this.#logged = new Map(
      advisories.map((advisory) => {
        const { code, message, subject } = advisory;
        const key = `${code}\n${subject ?? message}`;
        const last = before.get(key);
        const due = !last || (TOLD_AGAIN.has(code) && now - last.at >= AGAIN_MS);
        if (due) this.#log.warn({ event: 'advisory.raised', code }, message);
        return [key, { advisory, at: due ? now : last.at }];
      }),
    );
    for (const [key, { advisory }] of before) {
      const { code, message } = advisory;
      if (!this.#logged.has(key)) this.#log.info({ event: 'advisory.cleared', code }, `cleared: ${message}`);
    }
  }
}
