import { existsSync, readFileSync } from 'node:fs';

/** The time that the main thread of a process has spent on a processor, in its first field (proc(5)). */
const schedstat = (pid: number) => `/proc/${pid}/task/${pid}/schedstat`;
const read = (pid: number) => Number(readFileSync(schedstat(pid), 'utf8').split(' ')[0]) / 1e6;
/** Some virtual machines and kernels keep no such time. */
const counted = existsSync(schedstat(process.pid)) && read(process.pid) > 0;

/** The processor time of the main thread of a process, in milliseconds; the clock where the kernel does not tell. */
export function spentMs(pid: number): number {
  return counted ? read(pid) : performance.now();
}

/**
 * Watches for how long the event loop of this process works without a turn. Counts time on the processor, where the
 * kernel tells that time: a busy machine makes no piece of work longer.
 */
export class LoopGap {
  #last = spentMs(process.pid);
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
    const now = spentMs(process.pid);
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
