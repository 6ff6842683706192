import { sleep } from './sleep.ts';

/** The longest timer: setTimeout takes 31 bits. */
const FOR_EVER_MS = 2 ** 31 - 1;

/** The reason that ends a pause. */
const CALLED = new Error('called');

/** A pause that a call ends early. A call while nobody sleeps is not lost: the next sleep ends at once. */
export class Wake {
  #called = new AbortController();

  call(): void {
    this.#called.abort(CALLED);
  }

  /** Sleeps until called, or for `ms` milliseconds. */
  async sleep(ms: number = FOR_EVER_MS): Promise<void> {
    const { signal } = this.#called;
    if (!signal.aborted) await sleep(ms, signal).catch(() => {});
    if (signal.aborted) this.#called = new AbortController();
  }
}
