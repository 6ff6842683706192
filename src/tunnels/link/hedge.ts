import { LightSignal, type Signal } from '../../base/async/signal.ts';
import { isSessionLoss, TunnelError } from '../../base/errors.ts';
import type { Channel } from '../channel/channel-source.ts';

/** Opens a channel on one session. The signal withdraws the open; a channel that still opens is closed. */
export type Opener = (signal: Signal) => Promise<Channel>;

export interface HedgedOpen {
  readonly first: Opener;
  readonly patienceMs: number;
  /** A part of the patience is over: asks for a sign of life. */
  onSlow(): void;
  /** The patience is over: returns how to open elsewhere. Undefined: not now. The question is repeated until an answer comes. */
  next(): Opener | undefined;
  /** How to open elsewhere after this refusal; undefined if the refusal counts. */
  instead(error: unknown): Opener | undefined;
  /** The race is over; `winner` counts from 0. */
  onRaced(winner: number): void;
}

/** The part of the patience after which the first session is asked for a sign of life. */
const ASK_AFTER = 0.4;

/**
 * Opens a channel, and another one elsewhere when the answer is late. The first answer counts, whether it is a channel
 * or a refusal. The other opens are withdrawn.
 */
export function openHedged(open: HedgedOpen, signal: Signal): Promise<Channel> {
  return new Promise((resolve, reject) => {
    const racers: { readonly withdraw: LightSignal; pending: boolean }[] = [];
    let settled = false;

    const settle = (finish: () => void) => {
      settled = true;
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      for (const { withdraw, pending } of racers)
        if (pending) withdraw.abort(new TunnelError('connection_reset', 'withdrawn'));
      finish();
    };
    const onAbort = () => settle(() => reject(signal.reason));

    const start = (opener: Opener) => {
      const number = racers.length;
      const racer = { withdraw: new LightSignal(), pending: true };
      racers.push(racer);
      const answer = (finish: () => void) => {
        racer.pending = false;
        if (settled) return;
        if (racers.length > 1) open.onRaced(number);
        settle(finish);
      };
      opener(racer.withdraw).then(
        (channel) => {
          if (settled) channel.close();
          answer(() => resolve(channel));
        },
        (error: unknown) => {
          racer.pending = false;
          const lost = isSessionLoss(error);
          if (lost && racers.some(({ pending }) => pending)) return;
          const instead = settled ? undefined : open.instead(error);
          if (instead) return start(instead);
          answer(() => reject(error));
        },
      );
    };

    // Repeated: a session may become suspect soon, and another session may come back.
    const hedge = () => {
      const next = open.next();
      if (next) start(next);
      if (!settled) timer = setTimeout(hedge, open.patienceMs / 2);
    };
    // One timer after the other: nearly every open has its answer before the first.
    let timer = setTimeout(() => {
      timer = setTimeout(hedge, open.patienceMs * (1 - ASK_AFTER));
      open.onSlow();
    }, open.patienceMs * ASK_AFTER);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    else start(open.first);
  });
}
