import { sleep } from '../../../base/async/sleep.ts';
import { TunnelError } from '../../../base/errors.ts';
import type { FarListener, FarSession } from '../../channel/far-side.ts';

/** A far-side listener and the session that it is on. */
export interface Place {
  readonly session: FarSession;
  readonly listener: FarListener;
}

/** A move that failed. */
export interface FailedMove {
  readonly error: TunnelError;
  /** Why the listener is not bound on its old session again; undefined when it is. */
  readonly back: TunnelError | undefined;
  /** As {@link abandon} returns it. */
  readonly lostAt: number | undefined;
}

/** The pause before repeating a request that may have overtaken the cancellation, in milliseconds. */
export const OVERTAKEN_MS = 2;

/**
 * Moves a listener by cancel and bind. Both requests leave at once over different connections, so that the gap is short.
 * When the bind fails, the listener is bound on its old session again, if the server released the address.
 *
 * @param onBound called when the listener is bound at its new place; the cancellation of the old one may still be due
 * @returns undefined when the move is complete
 */
export async function move(
  from: Place,
  to: Place,
  signal: AbortSignal,
  onBound: () => void,
): Promise<FailedMove | undefined> {
  let answered = false;
  const cancelled = from.listener.cancel().finally(() => {
    answered = true;
  });
  const error = await bindAfter(cancelled, () => answered, to.listener, signal);
  if (error === undefined) {
    onBound();
    await cancelled;
    from.listener.release();
    return undefined;
  }
  const freed = await cancelled;
  const lostAt = await abandon(to, error);
  const back =
    (freed || from.listener.kept?.()) && !signal.aborted ? await failureOf(from.listener.bind(signal)) : error;
  return { error, back, lostAt: freed ? lostAt : performance.now() };
}

/**
 * Takes a failed request back: unless the server refused it, the server may still grant it. Returns the time at which
 * we lost a session that may now hold the address, in monotonic milliseconds; undefined when no lost session does.
 */
export async function abandon({ session, listener }: Place, error: TunnelError): Promise<number | undefined> {
  const open = error.code !== 'remote_listen_denied';
  const freed = open && session.usable && (await listener.cancel());
  const lostAt = open && !freed && !session.usable ? performance.now() : undefined;
  listener.release();
  return lostAt;
}

/** Settles with the error of a failed attempt, else with undefined. */
export function failureOf(attempt: Promise<void>): Promise<TunnelError | undefined> {
  return attempt.then(() => undefined, TunnelError.from);
}

/** Asks until the cancellation is answered, and then once more: a request may overtake the cancellation. */
async function bindAfter(
  cancelled: Promise<boolean>,
  answered: () => boolean,
  listener: FarListener,
  signal: AbortSignal,
): Promise<TunnelError | undefined> {
  for (;;) {
    const last = answered();
    const error = await failureOf(listener.bind(signal));
    if (error?.code !== 'remote_listen_denied' || last || signal.aborted) return error;
    await Promise.race([cancelled, sleep(OVERTAKEN_MS)]);
  }
}
