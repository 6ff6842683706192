const real = { turn: globalThis.setImmediate, now: performance.now.bind(performance) };

/** Runs what waits in the queues of process.nextTick and of promises, until both are empty. Node itself does so after each turn. */
const settle = (process as { readonly _tickCallback?: () => void })._tickCallback;

/** So long the rest of this process waits for the simulation at most, in milliseconds. */
const LONGEST_MS = 50;

let waiting: (() => void)[] = [];
let isGoing = false;

/**
 * As setImmediate, in the same order. But many turns of the simulated event loop are one turn of the real one, which asks the
 * kernel for news that the simulation never gets.
 */
export function endTurn(run: () => void): void {
  if (!settle) return void real.turn(run);
  waiting.push(run);
  if (isGoing) return;
  isGoing = true;
  real.turn(go);
}

function go(): void {
  const until = real.now() + LONGEST_MS;
  while (waiting.length > 0 && real.now() < until) {
    const due = waiting;
    waiting = [];
    for (const run of due) {
      run();
      settle?.();
    }
  }
  isGoing = waiting.length > 0;
  if (isGoing) real.turn(go);
}
