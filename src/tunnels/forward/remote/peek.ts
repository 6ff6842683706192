import type { Duplex } from 'node:stream';

/** The verdict on the first bytes of a stream, and how many of them the next reader does not get. */
export interface Peeked<Verdict> {
  readonly verdict: Verdict;
  readonly taken: number;
}

/**
 * Reads the first bytes of an unread stream until `decide` returns a verdict, and puts the rest back. `decide` is called
 * at once, after new bytes, at the end of the stream, and when the function given to `subscribe` is called. Undefined
 * means: more bytes needed.
 */
export function peek<Verdict>(
  stream: Duplex,
  decide: (head: Buffer, ended: boolean) => Peeked<Verdict> | undefined,
  subscribe: (again: () => void) => () => void,
): Promise<Verdict> {
  return new Promise((resolve) => {
    let head: Buffer = Buffer.alloc(0);
    let done = false;
    const look = (ended: boolean) => {
      if (done) return;
      // Never a read() of nothing: at the end of the stream that sets off 'end' before the next reader waits for it.
      if (stream.readableLength > 0) head = Buffer.concat([head, stream.read()]);
      const decision = decide(head, ended);
      if (decision === undefined) return;
      done = true;
      stream.off('readable', onReadable).off('close', onClose);
      unsubscribe?.();
      const rest = head.subarray(decision.taken);
      // In the same turn as the read(), so that an end of stream is still reported to the next reader.
      if (rest.length > 0 && !stream.destroyed) stream.unshift(rest);
      resolve(decision.verdict);
    };
    // 'readable' without anything to read: the other side has ended its direction.
    const onReadable = () => look(stream.readableLength === 0);
    const onClose = () => look(true);
    let unsubscribe: (() => void) | undefined;
    look(stream.destroyed);
    if (done) return;
    unsubscribe = subscribe(() => look(false));
    stream.on('readable', onReadable).once('close', onClose);
  });
}
