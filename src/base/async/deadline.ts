/**
 * Runs `task` with a signal that aborts when `parent` does, or after `ms` milliseconds with the error that `expired`
 * makes. The task must settle once its signal aborts; its timer and listener never outlive it.
 */
export async function withDeadline<T>(
  ms: number,
  parent: AbortSignal | undefined,
  expired: () => Error,
  task: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  parent?.throwIfAborted();
  const controller = new AbortController();
  const onAbort = () => controller.abort(parent?.reason);
  parent?.addEventListener('abort', onAbort, { once: true });
  const timer = setTimeout(() => controller.abort(expired()), ms);
  try {
    return await task(controller.signal);
  } finally {
    clearTimeout(timer);
    parent?.removeEventListener('abort', onAbort);
    controller.abort(new Error('settled'));
  }
}

/** Settles with `promise`, or rejects with the signal's reason once it aborts; the promise itself is left to run out. */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      promise.catch(() => {});
      reject(signal.reason);
      return;
    }
    const onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
