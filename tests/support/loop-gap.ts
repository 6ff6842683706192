/** Watches how long the event loop of this process stands still. */
export class LoopGap {
  #last = performance.now();
  #longestMs = 0;
  #timer: NodeJS.Immediate;

  constructor() {
    const look = () => {
      const now = performance.now();
      this.#longestMs = Math.max(this.#longestMs, now - this.#last);
      this.#last = now;
      this.#timer = setImmediate(look);
    };
    this.#timer = setImmediate(look);
  }

  /** Ends the watch. Returns the longest time between two turns of the loop, in milliseconds. */
  stop(): number {
    clearImmediate(this.#timer);
    return Math.max(this.#longestMs, performance.now() - this.#last);
  }
}
