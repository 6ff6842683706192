/** A periodic task. Stopped by the signal it was started with. */
export interface Repeating {
  /** Runs the task now, or once more after the current run. Several calls during one run count as one. */
  runNow(): void;
  /** Settles when the signal has aborted and the last run has ended. */
  readonly done: Promise<void>;
}

/** Calls back after `ms` milliseconds, unless cancelled before by the returned function. */
export type After = (ms: number, callBack: () => void) => () => void;

const byTimer: After = (ms, callBack) => {
  const timer = setTimeout(callBack, ms);
  return () => clearTimeout(timer);
};

/**
 * The one interval runner. Runs never overlap, and the first run waits one pause. `pauseMs` is called before each run,
 * so a pause can have jitter or follow a reload. `task` bounds its own time and reports its own failures.
 *
 * @param after ends each pause; by default a timer
 */
export function repeat(
  task: (signal: AbortSignal) => Promise<void>,
  pauseMs: () => number,
  signal: AbortSignal,
  after: After = byTimer,
): Repeating {
  let due = false;
  let endPause = () => {};
  const runNow = () => {
    due = true;
    endPause();
  };
  // One listener for all rounds: AbortSignal.any in each round would leak entries on a long-lived signal.
  signal.addEventListener('abort', runNow, { once: true });
  const pause = (ms: number) =>
    new Promise<void>((resolve) => {
      const cancel = after(ms, resolve);
      endPause = () => {
        cancel();
        resolve();
      };
    });
  const loop = async () => {
    while (!signal.aborted) {
      const ms = pauseMs();
      if (!due) await pause(ms);
      if (signal.aborted) return;
      due = false;
      await task(signal);
    }
  };
  return { runNow, done: loop() };
}
