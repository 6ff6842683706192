import type { Signal } from './signal.ts';
/** The lifetime of a task inside a longer task: ends with its parent, or earlier. */
export interface Following {
  /** Aborts with the parent's reason, or with the reason given to {@link end}. */
  readonly signal: AbortSignal;
  /** Aborts the signal and removes the listener from the parent. */
  end(reason?: unknown): void;
}

/** One for all: an error made at each end would cost more than the rest of a task. */
const SETTLED = new Error('settled');

/**
 * Calls `react` once, with the reason, when `signal` aborts, or at once if `signal` has aborted. Returns the
 * unsubscriber.
 */
export function onceAborted(signal: Signal | undefined, react: (reason: unknown) => void): () => void {
  if (signal?.aborted) {
    react(signal.reason);
    return () => {};
  }
  const onAbort = () => react(signal?.reason);
  signal?.addEventListener('abort', onAbort, { once: true });
  return () => signal?.removeEventListener('abort', onAbort);
}

/**
 * A signal that follows `parent` and can end earlier. `AbortSignal.any` does the same, but Node 20 leaks its entries on
 * a parent that lives as long as the daemon. {@link Following.end} leaves nothing behind.
 */
export function follow(parent: Signal | undefined): Following {
  const controller = new AbortController();
  const unwatch = onceAborted(parent, (reason) => controller.abort(reason));
  return {
    signal: controller.signal,
    end: (reason = SETTLED) => {
      unwatch();
      controller.abort(reason);
    },
  };
}
