import { isSessionLoss, TunnelError } from '../../base/errors.ts';
import type { Channel } from '../channel/channel-source.ts';

/** An open may take at least this long before another session is tried, in milliseconds. */
const PATIENCE_FLOOR_MS = 250;
const PATIENCE_ROUND_TRIPS = 4;

/** How long an open may stay unanswered before another session is tried as well, in milliseconds. */
export function patienceMs(rttMs: number | undefined): number {
  return Math.max(PATIENCE_FLOOR_MS, PATIENCE_ROUND_TRIPS * (rttMs ?? 0));
}

/**
 * Bounds the load that hedging adds to a slow target. A token bucket: every open adds a little, every hedge of a live
 * session takes one token. The hedge of a silent session needs no token.
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

  /** Takes one token; false when none is left. */
  take(): boolean {
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}

/** Opens a channel on one session. The signal withdraws the open; a channel that still opens is closed. */
export type Opener = (signal: AbortSignal) => Promise<Channel>;

export interface HedgedOpen {
  readonly first: Opener;
  readonly patienceMs: number;
  /** Half the patience is over: a sign of life requested now can arrive before the other half is over. */
  onSlow(): void;
  /** The patience is over: returns how to open elsewhere. Undefined: not now; the question is repeated later. */
  second(): Opener | undefined;
  /** The race is over. */
  onRaced(winner: 'first' | 'second'): void;
}

/**
 * Opens a channel, and a second one elsewhere when the answer is late. The first answer counts, whether it is a channel
 * or a refusal. The other open is withdrawn.
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
    // Repeated: the first session may become suspect soon, and another session may come back.
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
