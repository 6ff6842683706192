/** The life of a task inside a longer one: ends with its parent, or before. */
export interface Following {
  /** Aborts with the parent's reason, or with that of {@link end}. */
  readonly signal: AbortSignal;
  /** Ends this life and takes the listener off the parent. */
  end(reason?: unknown): void;
}

/** Calls `react` once, with the reason, when `signal` aborts; at once where it has aborted. Returns what ends the watch. */
export function onceAborted(signal: AbortSignal | undefined, react: (reason: unknown) => void): () => void {
  if (signal?.aborted) {
    react(signal.reason);
    return () => {};
  }
  const onAbort = () => react(signal?.reason);
  signal?.addEventListener('abort', onAbort, { once: true });
  return () => signal?.removeEventListener('abort', onAbort);
}

/**
 * A signal that follows `parent` and can end earlier. `AbortSignal.any` does the same, but on Node 20 its entries pile up on
 * a parent that lives as long as the daemon; {@link Following.end} leaves nothing behind.
 */
export function follow(parent: AbortSignal | undefined): Following {
  const controller = new AbortController();
  const unwatch = onceAborted(parent, (reason) => controller.abort(reason));
  return {
    signal: controller.signal,
    end: (reason = new Error('settled')) => {
      unwatch();
      controller.abort(reason);
    },
  };
}
