import { sleep } from './sleep.ts';

/** A periodic task. Stopped by the signal it was started with. */
export interface Repeating {
  /** Runs the task now, or once more as soon as the run under way is over; several calls before that are one. */
  runNow(): void;
  /** Settles when the signal has aborted and the last run is over. */
  readonly done: Promise<void>;
}

/**
 * The one interval runner: runs never overlap, each pause is asked for anew (so that it can carry jitter or follow a
 * reload), and the first run waits one pause too. `task` bounds its own time and reports its own failures.
 */
export function repeat(
  task: (signal: AbortSignal) => Promise<void>,
  pauseMs: () => number,
  signal: AbortSignal,
): Repeating {
  let pause = new AbortController();
  // One listener for the whole life instead of AbortSignal.any in each round, which would pile up on a long-lived signal.
  signal.addEventListener('abort', () => pause.abort(), { once: true });
  const loop = async () => {
    while (!signal.aborted) {
      await sleep(pauseMs(), pause.signal).catch(() => {});
      if (signal.aborted) return;
      pause = new AbortController();
      await task(signal);
    }
  };
  return { runNow: () => pause.abort(), done: loop() };
}
