import type { TunnelError } from '../../base/errors.ts';
import type { ReplacementStatus } from '../../telemetry/status/status.ts';
import type { Roster } from './roster.ts';

/** Since when sessions of a link are missing: lost ones, and ones that must give way to sessions with other settings. */
export class Replacement {
  #since: Date | undefined;

  /** The sessions of the link, or the settings, may have changed. */
  update({ current }: Pick<Roster, 'current'>, wanted: number, now: Date): void {
    this.#since = current.length >= wanted ? undefined : (this.#since ?? now);
  }

  /**
   * As `/status` shows it; null when nothing is missing.
   *
   * @param failure why no session can be made at present; undefined until an attempt fails
   */
  status({ attempts, failure }: { attempts: number; failure: TunnelError | undefined }): ReplacementStatus | null {
    if (!this.#since) return null;
    const state = failure ? 'failing' : 'pending';
    return { state, since: this.#since, attempts, last_error: failure?.report() ?? null };
  }
}
