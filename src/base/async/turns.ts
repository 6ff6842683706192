/** Runs tasks one after the other, in the order of the calls. A failed task does not stop the next task. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  /** Runs the task after all earlier tasks. Settles with the task. */
  take<Result>(task: () => Promise<Result>): Promise<Result> {
    const run = this.#last.then(task);
    this.#last = run.catch(() => {});
    return run;
  }

  /** Settles when all tasks so far have ended. Never rejects. */
  get over(): Promise<unknown> {
    return this.#last;
  }
}
