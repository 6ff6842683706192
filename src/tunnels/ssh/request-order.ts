import { Crowd, type Placed } from '../../base/async/crowd.ts';
import type { Address } from '../../base/net/address.ts';

/** A keepalive request that the server has not passed yet. */
export interface SentKeepalive {
  /** Monotonic milliseconds. */
  readonly sentAt: number;
  /** Bytes carried both ways when the request left. */
  readonly carried: number;
}

/** A channel open without an answer. */
export interface SentOpen extends Placed {
  readonly position: number;
  /** The host that the server must find for the open. */
  readonly host: string;
  /** Whether a keepalive left right before the open. */
  readonly guarded: boolean;
}

/**
 * The requests of one session in the order of sending. A server handles the packets of a session in this order, so an
 * answer says that the server has passed every earlier request too. Pure: no clock, no timer.
 */
export class RequestOrder {
  #last = 0;
  #passed = 0;
  /** Not passed yet, oldest first. */
  #keepalives: (SentKeepalive & { readonly position: number })[] = [];
  readonly #opens = new Crowd<SentOpen>();

  /** A keepalive leaves. Returns its position, for {@link answered}. */
  keepalive(sent: SentKeepalive): number {
    const position = ++this.#last;
    this.#keepalives.push({ ...sent, position });
    return position;
  }

  /** An open leaves. `guarded`: a keepalive left right before. */
  open(host: string, guarded: boolean): SentOpen {
    const open = { position: ++this.#last, host, guarded, place: -1 };
    this.#opens.add(open);
    return open;
  }

  /** The server has answered a request. Returns the newest keepalive that the server has now passed, if any is new. */
  answered(position: number): SentKeepalive | undefined {
    this.#passed = Math.max(this.#passed, position);
    let newest: SentKeepalive | undefined;
    while ((this.#keepalives[0]?.position ?? Number.POSITIVE_INFINITY) <= this.#passed)
      newest = this.#keepalives.shift();
    return newest;
  }

  /** The server has answered an open. Returns like {@link answered}. */
  settled(open: SentOpen): SentKeepalive | undefined {
    this.#opens.remove(open);
    return this.answered(open.position);
  }

  /** Since when the oldest keepalive has no answer; undefined when each one has. */
  get waitingSince(): number | undefined {
    return this.#keepalives[0]?.sentAt;
  }

  /** Number of opens without an answer. */
  get openCount(): number {
    return this.#opens.size;
  }

  /** Whether the server has answered the open, or a later request. */
  hasPassed(open: SentOpen): boolean {
    return open.position <= this.#passed;
  }

  /**
   * The open that the server works on, if the order proves it: the keepalive right before has an answer, and nothing
   * later has. If the session is silent now, this open has frozen it. A dead network would not have answered either.
   */
  get atWork(): SentOpen | undefined {
    for (const open of this.#opens) if (open.guarded && this.#passed === open.position - 1) return open;
    return undefined;
  }

  /** This process was stopped: the wait of every keepalive restarts at `now`. */
  postpone(now: number): void {
    this.#keepalives = this.#keepalives.map((keepalive) => ({ ...keepalive, sentAt: now }));
  }
}

/** The host that the server must find for a channel; a Unix socket is on the server. */
export function hostOf(target: Address): string {
  return target.kind === 'unix' ? target.path : target.host.toLowerCase();
}
