/** Tasks that run one after the other, in the order in which they were asked for; one that fails does not stop the next. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  /** Runs the task when those before it are over. Settles as it does. */
  take<Result>(task: () => Promise<Result>): Promise<Result> {
    const run = this.#last.then(task);
    this.#last = run.catch(() => {});
    return run;
  }

  /** Settles when all that were asked for so far are over. Never rejects. */
  get over(): Promise<unknown> {
    return this.#last;
  }
}
