/** The longest piece of such work, in milliseconds: everything else on the event loop waits for one piece at most. */
const SLICE_MS = 2;
/** The pause after each piece: a connection needs many turns of the loop, and each could meet another piece. */
const PAUSE_MS = 2;

/** The works in progress. Each call runs one piece; false: more is left. */
const waiting: (() => boolean)[] = [];
let running = false;

/**
 * Runs long work in short pieces, between the other work of the event loop. `steps` yields wherever a piece may end. All
 * such work takes turns: several pieces never follow each other without a pause. Rejects with what `steps` throws.
 */
export function inSlices<Result>(steps: Generator<void, Result>): Promise<Result> {
  return new Promise((resolve, reject) => {
    const step = () => {
      try {
        const until = performance.now() + SLICE_MS;
        do {
          const { done, value } = steps.next();
          if (done === true) {
            resolve(value);
            return true;
          }
        } while (performance.now() < until);
        return false;
      } catch (error) {
        reject(error);
        return true;
      }
    };
    waiting.push(step);
    if (running) return;
    running = true;
    setTimeout(takeTurn, 0);
  });
}

function takeTurn(): void {
  const step = waiting.shift();
  if (step && !step()) waiting.push(step);
  running = waiting.length > 0;
  if (running) setTimeout(takeTurn, PAUSE_MS);
}
