import { existsSync, readFileSync } from 'node:fs';

/** The time that this thread has spent on a processor, in nanoseconds, in its first field (proc(5)). */
const SCHEDSTAT = `/proc/self/task/${process.pid}/schedstat`;
/** Some virtual machines and kernels keep no such time. */
const counted = existsSync(SCHEDSTAT) && spentMs() > 0;

function spentMs(): number {
  return Number(readFileSync(SCHEDSTAT, 'utf8').split(' ')[0]) / 1e6;
}

/**
 * Watches for how long the event loop of this process works without a turn. Counts time on the processor, where the
 * kernel tells that time: a busy machine makes no piece of work longer.
 */
export class LoopGap {
  readonly #clock = counted ? spentMs : () => performance.now();
  #last = this.#clock();
  #longestMs = 0;
  #timer: NodeJS.Timeout;

  constructor() {
    const look = () => {
      this.#look();
      this.#timer = setTimeout(look, 1);
    };
    this.#timer = setTimeout(look, 1);
  }

  #look(): void {
    const now = this.#clock();
    this.#longestMs = Math.max(this.#longestMs, now - this.#last);
    this.#last = now;
  }

  /** Ends the watch. Returns the longest piece of work, in milliseconds. */
  stop(): number {
    clearTimeout(this.#timer);
    this.#look();
    return this.#longestMs;
  }
}
