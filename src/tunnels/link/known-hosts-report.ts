import type { Logger } from '../../telemetry/log/log.ts';

/** Most lines of one file that are told one by one: a file of another kind given by mistake has thousands. */
const MOST_TOLD = 10;

/** Tells the operator of lines that cannot be used, in the files that every attempt reads anew: once, until they change. */
export class KnownHostsReport {
  readonly #log: Pick<Logger, 'warn'>;
  readonly #told = new Map<string, string>();

  constructor(log: Pick<Logger, 'warn'>) {
    this.#log = log;
  }

  /** @param problems each as `file:line: what is wrong` */
  report(path: string, problems: readonly string[]): void {
    const all = problems.join('\n');
    if (all === (this.#told.get(path) ?? '')) return;
    this.#told.set(path, all);
    for (const problem of problems.slice(0, MOST_TOLD)) this.#warn(path, problem);
    const more = problems.length - MOST_TOLD;
    if (more > 0) this.#warn(path, `${path}: ${more} more lines cannot be used`);
  }

  #warn(path: string, problem: string): void {
    this.#log.warn({ event: 'known_hosts.malformed', path }, `${problem}: ignored`);
  }
}
