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

/** As {@link Turns}, for each name by itself: tasks that share a name run one after the other, others do not wait. */
export class NamedTurns {
  readonly #last = new Map<string, Promise<unknown>>();

  /** Runs the task when all those before it that share a name with it are over. Settles as it does. */
  take<Result>(names: readonly string[], task: () => Promise<Result>): Promise<Result> {
    const run = Promise.all(names.map((name) => this.#last.get(name))).then(() => task());
    const over = run.then(
      () => {},
      () => {},
    );
    for (const name of names) {
      this.#last.set(name, over);
      void over.then(() => {
        if (this.#last.get(name) === over) this.#last.delete(name);
      });
    }
    return run;
  }

  /** Settles when all that were asked for so far are over. Never rejects. */
  get over(): Promise<unknown> {
    return Promise.all(this.#last.values());
  }
}
