import { sleep } from './sleep.ts';

/** A periodic task. Stopped by the signal it was started with. */
export interface Repeating {
  /** Runs the task now, or once more after the current run. Several calls during one run count as one. */
  runNow(): void;
  /** Settles when the signal has aborted and the last run has ended. */
  readonly done: Promise<void>;
}

/** One for all: an error made at each call would cost more than the rest of a short task. */
const NOW = new Error('the task runs now');

/**
 * The one interval runner. Runs never overlap, and the first run waits one pause. `pauseMs` is called before each run,
 * so a pause can have jitter or follow a reload. `task` bounds its own time and reports its own failures.
 */
export function repeat(
  task: (signal: AbortSignal) => Promise<void>,
  pauseMs: () => number,
  signal: AbortSignal,
): Repeating {
  let pause = new AbortController();
  // One listener for all rounds: AbortSignal.any in each round would leak entries on a long-lived signal.
  signal.addEventListener('abort', () => pause.abort(NOW), { once: true });
  const loop = async () => {
    while (!signal.aborted) {
      await sleep(pauseMs(), pause.signal).catch(() => {});
      if (signal.aborted) return;
      pause = new AbortController();
      await task(signal);
    }
  };
  return { runNow: () => pause.abort(NOW), done: loop() };
}
