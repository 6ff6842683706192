import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import type { Signal } from '../../../base/async/signal.ts';
import { TunnelError } from '../../../base/errors.ts';
import type { DetourTerms } from '../junction.ts';

type Trial = Extract<DetourTerms, { kind: 'trial' }>;

/** A successor that ends the connection within this time, in milliseconds, has not taken the client. */
const STAYS_MS = 100;

/**
 * Settles once the successor has said something or has stayed for a moment: until then the client has sent nothing, and can
 * still go through the tunnel. Rejects with `target_unreachable` when the successor ends the connection before, and with the
 * signal's reason.
 */
export async function stays(stream: Duplex, signal: Signal): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const over = (error?: unknown) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      stream.off('readable', onReadable).off('error', onEnd).off('close', onEnd);
      if (error === undefined) resolve();
      else reject(error);
    };
    const onAbort = () => over(signal.reason);
    const onEnd = () => over(unanswered());
    // At the end of the stream it is readable as well, with nothing to read.
    const onReadable = () => over(stream.readableLength > 0 ? undefined : unanswered());
    // One turn more: on a busy machine the end of the connection may be waiting to be read already.
    const timer = setTimeout(() => setImmediate(() => over()), STAYS_MS);
    signal.addEventListener('abort', onAbort, { once: true });
    stream.on('readable', onReadable).on('error', onEnd).on('close', onEnd);
    if (signal.aborted) onAbort();
    else if (stream.destroyed) onEnd();
  });
  // The stream takes a turn to notice that nobody waits for `readable` any more; only then can it be piped.
  await turn();
}

/**
 * Tells the trial how the client fares: an accept without an answer is not taken. A client that ends first proves nothing. To
 * be called right before the stream is piped.
 */
export function judge(stream: Duplex, client: Socket, { onTaken }: Trial): void {
  let judged = false;
  const once = (error: TunnelError | undefined) => {
    if (judged) return;
    judged = true;
    onTaken(error);
  };
  const onEnd = () => {
    if (client.readableEnded || client.destroyed) judged = true;
    else once(unanswered());
  };
  // Before the relay has its turn: it resets the client.
  stream.prependListener('error', onEnd);
  stream.prependListener('end', onEnd);
  stream.once('data', () => once(undefined));
}

function unanswered(): TunnelError {
  return new TunnelError('target_unreachable', 'the successor closed the connection without an answer', {
    hint: "Look into the successor's log.",
  });
}
