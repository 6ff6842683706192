/** Who waits for a link to be ready. */
export class Waiters {
  readonly #waiting = new Map<() => void, AbortSignal>();

  get size(): number {
    return this.#waiting.size;
  }

  /** One for each that waits; it aborts when that one gives up. */
  signals(): readonly AbortSignal[] {
    return [...this.#waiting.values()];
  }

  /** Settles at the next {@link release}; rejects with the signal's reason when that aborts. */
  wait(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const settle = () => {
        signal.removeEventListener('abort', onAbort);
        this.#waiting.delete(onReady);
      };
      const onReady = () => {
        settle();
        resolve();
      };
      const onAbort = () => {
        settle();
        reject(signal.reason);
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#waiting.set(onReady, signal);
    });
  }

  release(): void {
    for (const onReady of [...this.#waiting.keys()]) onReady();
  }
}
