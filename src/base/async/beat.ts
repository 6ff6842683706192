interface Beat {
  readonly tasks: Set<() => void>;
  readonly timer: NodeJS.Timeout;
}

/** More tasks than this begin another beat: all tasks of one run in one turn of the event loop. */
const MOST_TASKS = 64;

type Timers = Pick<typeof globalThis, 'setInterval' | 'clearInterval'>;

/** The newest beat of each interval. By the timers: those of a fake clock are others. */
const beats = new WeakMap<Timers['setInterval'], Map<number, Beat>>();

/**
 * Calls `task` every `ms` milliseconds, until stopped by the returned function, together with other tasks of that
 * interval: an idle process wakes for each timer, and a wakeup costs more than a short task. So the first call comes after
 * `ms` milliseconds or earlier. Does not keep the process alive.
 *
 * @param timers default: the global ones, which a test may replace
 */
export function onBeat(ms: number, task: () => void, timers: Timers = globalThis): () => void {
  const { setInterval: repeat, clearInterval: clear } = timers;
  const byInterval = beats.get(repeat) ?? new Map<number, Beat>();
  beats.set(repeat, byInterval);
  const newest = byInterval.get(ms);
  const beat = newest && newest.tasks.size < MOST_TASKS ? newest : begin(ms, repeat);
  byInterval.set(ms, beat);
  // Each call counts, also with the same function.
  const own = () => task();
  beat.tasks.add(own);
  return () => {
    beat.tasks.delete(own);
    if (beat.tasks.size > 0) return;
    clear(beat.timer);
    if (byInterval.get(ms) === beat) byInterval.delete(ms);
  };
}

function begin(ms: number, repeat: Timers['setInterval']): Beat {
  const tasks = new Set<() => void>();
  const timer = repeat(() => {
    for (const task of tasks) task();
  }, ms);
  timer.unref();
  return { tasks, timer };
}
