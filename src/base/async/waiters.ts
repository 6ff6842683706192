import type { Signal } from './signal.ts';
/** All tasks that wait for the same event. */
export class Waiters {
  readonly #resolves = new Map<() => void, Signal>();

  get size(): number {
    return this.#resolves.size;
  }

  /** One signal per waiting task; a signal aborts when its task gives up. */
  get signals(): readonly Signal[] {
    return [...this.#resolves.values()];
  }

  /** Settles at the next {@link wake}; rejects with the signal's reason when the signal aborts. */
  wait(signal: Signal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(signal.reason);
        return;
      }
      const settle = () => {
        signal.removeEventListener('abort', onAbort);
        this.#resolves.delete(onWake);
      };
      const onWake = () => {
        settle();
        resolve();
      };
      const onAbort = () => {
        settle();
        reject(signal.reason);
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#resolves.set(onWake, signal);
    });
  }

  wake(): void {
    for (const resolve of [...this.#resolves.keys()]) resolve();
  }
}
