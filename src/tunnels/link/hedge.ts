import { isSessionLoss, TunnelError } from '../../base/errors.ts';
import type { Channel } from '../channel/channel-source.ts';

/** An open may take this long before its session is doubted, whatever the round trip time; in milliseconds. */
const PATIENCE_FLOOR_MS = 250;
const PATIENCE_ROUND_TRIPS = 4;

/** How long an open may go unanswered before it is tried on another session as well, in milliseconds. */
export function patienceMs(rttMs: number | undefined): number {
  return Math.max(PATIENCE_FLOOR_MS, PATIENCE_ROUND_TRIPS * (rttMs ?? 0));
}

/**
 * Bounds what hedging may add to the load of a slow target: a token bucket that every open fills a little and every
 * hedge on a session that is alive empties by one. A session that has gone silent is hedged without asking.
 */
export class HedgeBudget {
  readonly #capacity: number;
  readonly #perOpen: number;
  #tokens: number;

  constructor(capacity = 10, perOpen = 0.05) {
    this.#capacity = capacity;
    this.#perOpen = perOpen;
    this.#tokens = capacity;
  }

  opened(): void {
    this.#tokens = Math.min(this.#capacity, this.#tokens + this.#perOpen);
  }

  /** Takes one token, if there is one. */
  take(): boolean {
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}

/** Opens on one session; the signal withdraws it, and a channel that opens all the same is closed. */
export type Opener = (signal: AbortSignal) => Promise<Channel>;

export interface HedgedOpen {
  readonly first: Opener;
  readonly patienceMs: number;
  /** Half the patience is over: the peer can be asked now for a sign of life that is due before the other half is. */
  onSlow(): void;
  /** The patience is over: how to open elsewhere, if that is wanted and possible. If not, it is asked again later. */
  second(): Opener | undefined;
  /** The race is over. */
  onRaced(winner: 'first' | 'second'): void;
}

/**
 * Opens a channel, and when the answer is late, a second one elsewhere: the first answer counts, be it a channel or the
 * server's refusal, and the other open is withdrawn.
 */
export function openHedged(open: HedgedOpen, signal: AbortSignal): Promise<Channel> {
  return new Promise((resolve, reject) => {
    const racers: { readonly withdraw: AbortController; pending: boolean }[] = [];
    let settled = false;

    const settle = (finish: () => void) => {
      settled = true;
      clearTimeout(slow);
      clearTimeout(late);
      signal.removeEventListener('abort', onAbort);
      for (const { withdraw, pending } of racers)
        if (pending) withdraw.abort(new TunnelError('connection_reset', 'withdrawn'));
      finish();
    };
    const onAbort = () => settle(() => reject(signal.reason));

    const start = (opener: Opener, name: 'first' | 'second') => {
      const racer = { withdraw: new AbortController(), pending: true };
      racers.push(racer);
      const answer = (finish: () => void) => {
        racer.pending = false;
        if (settled) return;
        if (racers.length > 1) open.onRaced(name);
        settle(finish);
      };
      opener(racer.withdraw.signal).then(
        (channel) => {
          if (settled) channel.close();
          answer(() => resolve(channel));
        },
        (error: unknown) => {
          racer.pending = false;
          const lost = isSessionLoss(error);
          if (lost && racers.some(({ pending }) => pending)) return;
          answer(() => reject(error));
        },
      );
    };

    const slow = setTimeout(() => open.onSlow(), open.patienceMs / 2);
    // Asked again: a session that is no suspect yet may be one soon, and the other session may come back.
    const hedge = () => {
      const second = open.second();
      if (second) start(second, 'second');
      else late = setTimeout(hedge, open.patienceMs / 2);
    };
    let late = setTimeout(hedge, open.patienceMs);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    else start(open.first, 'first');
  });
}
