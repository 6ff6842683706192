import { Notifier } from '../operator/notify/notifier.ts';
import { readToken } from '../operator/notify/token.ts';
import { type HourSample, LastHour } from '../operator/page/last-hour.ts';
import type { RootLogger } from '../telemetry/log/log.ts';
import type { Advisory } from '../telemetry/status/advisory.ts';
import type { Status } from '../telemetry/status/status.ts';
import { AdvisoryLog } from './advisory-log.ts';

/** Those who look at the node once a second and change nothing: the log of advisories, the webhooks, the charts. */
export class Onlookers {
  readonly notifier: Notifier;
  readonly lastHour = new LastHour();
  readonly #advisoryLog: AdvisoryLog;

  constructor(log: RootLogger, { CREDENTIALS_DIRECTORY }: NodeJS.ProcessEnv) {
    this.#advisoryLog = new AdvisoryLog(log);
    this.notifier = new Notifier({
      log: log.child({ component: 'notify' }),
      readToken: (path) => readToken(path, CREDENTIALS_DIRECTORY),
      random: Math.random,
    });
  }

  /** Before the tunnels act in this second. */
  advise(advisories: readonly Advisory[]): void {
    this.#advisoryLog.update(advisories);
  }

  /** Calls each function only if somebody needs its result now. */
  look(snapshot: () => Status, sample: () => HourSample): void {
    this.notifier.tick(snapshot);
    this.lastHour.tick(sample, performance.now());
  }
}
