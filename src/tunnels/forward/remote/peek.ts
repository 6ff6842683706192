import type { Duplex } from 'node:stream';

/** What the first bytes of a stream are, and how many of them are not for whoever reads the stream next. */
export interface Peeked<Verdict> {
  readonly verdict: Verdict;
  readonly taken: number;
}

/**
 * Reads the first bytes of a stream that nobody reads yet until `decide` knows what they are, and puts the rest back.
 * `decide` is asked at once, with all bytes that came, at the end of the stream, and whenever the function that
 * `subscribe` was given is called; undefined says that it needs more.
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
      // Synchronously after the read(), so that an end of stream that has come already is still to be reported.
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
