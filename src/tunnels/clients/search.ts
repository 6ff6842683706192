import { sleep } from '../../base/async/sleep.ts';
import { Budget } from './budget.ts';
import { type OnFound, readOwn, type Sight, searchAll, searchAmong, sightOf, type Wanted } from './processes.ts';

/** At most this many found processes are remembered: most connect again. */
const MOST_KNOWN = 64;

/**
 * The share of this thread, which serves all connections, and the burst. Many clients live only for milliseconds, so an
 * even pace would miss them.
 */
const LOOP = { share: 0.02, burstMs: 10 };
/** The thread searches for this long at a time. */
const SLICE_MS = 0.5;
/** A search ends after this long, even without a result. */
const SEARCH_MS = 10_000;

/** Finds the processes of sockets, in short slices of time, within a budget of this thread. */
export class HolderSearch {
  readonly #sight: Sight;
  readonly #signal: AbortSignal;
  readonly #onSpent: (ms: number) => void;
  readonly #budget = new Budget(LOOP, performance.now());
  /** Found processes, the latest last. */
  readonly #known = new Set<number>();

  /**
   * @param signal ends every search
   * @param onSpent called after each slice with its duration
   */
  constructor(signal: AbortSignal, onSpent: (ms: number) => void) {
    this.#sight = sightOf(readOwn('status'), process.geteuid?.() ?? -1);
    this.#signal = signal;
    this.#onSpent = onSpent;
  }

  /** Whether the budget allows a search now. */
  get rested(): boolean {
    return this.#budget.waitMs(performance.now()) <= 0;
  }

  /** Searches earlier found processes, for one slice. Removes found sockets from `wanted`. */
  amongKnown(wanted: Wanted, onFound: OnFound): Promise<void> {
    const latest = [...this.#known].reverse();
    return this.#inSlices(searchAmong(latest, wanted, this.#remembering(onFound)), 0);
  }

  /** Searches all visible processes. Removes found sockets from `wanted`. */
  amongAll(wanted: Wanted, onFound: OnFound): Promise<void> {
    return this.#inSlices(searchAll(this.#known, this.#sight, wanted, this.#remembering(onFound)), SEARCH_MS);
  }

  #remembering(onFound: OnFound): OnFound {
    return (inode, holder) => {
      this.#remember(holder.pid);
      onFound(inode, holder);
    };
  }

  #remember(pid: number): void {
    this.#known.delete(pid);
    this.#known.add(pid);
    for (const oldest of this.#known) {
      if (this.#known.size <= MOST_KNOWN) return;
      this.#known.delete(oldest);
    }
  }

  async #inSlices(steps: Generator<void, void>, withinMs: number): Promise<void> {
    const deadline = performance.now() + withinMs;
    try {
      for (;;) {
        const from = performance.now();
        let { done } = steps.next();
        while (done !== true && performance.now() - from < SLICE_MS) ({ done } = steps.next());
        const to = performance.now();
        this.#budget.spend(to - from, to);
        this.#onSpent(to - from);
        if (done === true || to >= deadline) return;
        await sleep(Math.max(1, this.#budget.waitMs(to)), this.#signal).catch(() => {});
        if (this.#signal.aborted) return;
      }
    } finally {
      // Closes the directory that the search has open.
      steps.return();
    }
  }
}
