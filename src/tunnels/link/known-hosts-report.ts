import type { Logger } from '../../telemetry/log/log.ts';

/** At most this many lines of one file are logged one by one: a wrong file can have thousands. */
const MOST_TOLD = 10;

/** Logs invalid lines of known_hosts. Every attempt reads the file again, but each set of lines is logged once. */
export class KnownHostsReport {
  readonly #log: Pick<Logger, 'warn'>;
  readonly #told = new Map<string, string>();

  constructor(log: Pick<Logger, 'warn'>) {
    this.#log = log;
  }

  /** @param problems each as `file:line: problem` */
  report(path: string, problems: readonly string[]): void {
    const all = problems.join('\n');
    if (all === (this.#told.get(path) ?? '')) return;
    this.#told.set(path, all);
    for (const problem of problems.slice(0, MOST_TOLD)) this.#warn(path, problem);
    const more = problems.length - MOST_TOLD;
    if (more > 0) this.#warn(path, `${path}: ${more} more invalid lines`);
  }

  #warn(path: string, problem: string): void {
    this.#log.warn({ event: 'known_hosts.malformed', path }, `${problem}; ignored`);
  }
}
