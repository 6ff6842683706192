/** How a session's silence is judged (SPEC section 2, `keepalive`). */
export interface KeepaliveOptions {
  /** A request is sent after this long without one, in milliseconds. */
  readonly everyMs: number;
  /** This many intervals of silence, and the session is lost. */
  readonly lostAfter: number;
}

/** What a keepalive sees of its connection. Counters only grow. */
export interface Lifesigns {
  /** Bytes received from the peer. */
  readonly received: number;
  /** Bytes that the kernel has taken over for sending. */
  readonly flushed: number;
  /** Bytes that wait in this process because the kernel's send buffer is full. */
  readonly backlog: number;
}

export interface KeepaliveDependencies {
  lifesigns(): Lifesigns;
  /** Sends `keepalive@openssh.com` (OpenSSH PROTOCOL, section 2.2) and calls back with the reply, whatever it says. */
  request(onReply: () => void): void;
  /** The peer is given up: it has sent nothing for `sinceMs`, or goes on sending but has answered nothing for so long. */
  onLost(sinceMs: number, what: 'silent' | 'deaf'): void;
  /** Monotonic milliseconds. */
  now(): number;
}

/** A reply that takes longer than this after a check makes the session suspect, whatever its round trip time is. */
const SUSPECT_FLOOR_MS = 250;
const SUSPECT_ROUND_TRIPS = 4;

/**
 * Where something still comes from the peer, an answer may take so many times as long as silence may, and on top of that
 * as long as what was carried since the last one takes on the slowest link that is waited for; but no queue is so long.
 */
const ANSWER_PATIENCES = 4;
const SLOWEST_BYTES_PER_MS = 2;
const MOST_PATIENCES = 16;

/**
 * Finds a half-open session. Unlike ssh2's own keepalive, every byte from the peer counts as life, and so does a full
 * send queue that goes on draining: a slow link under bulk load is alive although its replies queue for seconds. But answers
 * come in order, behind no more than what was sent before them: a peer whose answers stay out for longer than that can take
 * does not hear us, whatever trickles in.
 */
export class Keepalive {
  readonly #options: KeepaliveOptions;
  readonly #deps: KeepaliveDependencies;
  readonly #tickMs: number;
  readonly #askEveryMs: number;
  readonly #timer: NodeJS.Timeout;
  #last: Lifesigns;
  #lifeAt: number;
  /** When the last answer came, and what had been carried both ways when it was asked for: the rest may be on its way yet. */
  #answered: { readonly at: number; readonly carried: number };
  #tickAt: number;
  #requestedAt = 0;
  #checkedAt: number | undefined;
  #doubtedAt: number | undefined;
  #rttMs: number | undefined;
  #checkTimer: NodeJS.Timeout | undefined;

  constructor(options: KeepaliveOptions, deps: KeepaliveDependencies) {
    this.#options = options;
    this.#deps = deps;
    this.#last = deps.lifesigns();
    this.#lifeAt = this.#tickAt = deps.now();
    this.#answered = { at: this.#lifeAt, carried: carried(this.#last) };
    this.#tickMs = options.everyMs / 5;
    // Where one interval of silence is the end, the question must come early enough in it to be answered.
    this.#askEveryMs = options.lostAfter === 1 ? 2 * this.#tickMs : options.everyMs;
    this.#timer = setInterval(() => this.#tick(), this.#tickMs);
    this.#request();
  }

  /** Round trip of the last request, in milliseconds. */
  get rttMs(): number | undefined {
    return this.#rttMs;
  }

  /**
   * A check was asked for, and has not been answered for longer than a few round trips. Other traffic from the peer is no
   * answer: where packets are lost in one direction only, a stream towards us goes on while nothing of ours arrives.
   */
  get suspect(): boolean {
    if (this.#doubtedAt === undefined) return false;
    const patience = Math.max(SUSPECT_FLOOR_MS, SUSPECT_ROUND_TRIPS * (this.#rttMs ?? 0));
    return this.#deps.now() - this.#doubtedAt >= patience;
  }

  /**
   * Something looked dead: asks the peer at once. One interval of silence from here on is enough to give it up, which any
   * sign of life averts; only an answer ends the suspicion.
   */
  check(): void {
    if (this.#checkedAt !== undefined) return;
    this.#observe();
    this.#checkedAt = this.#deps.now();
    this.#doubtedAt ??= this.#checkedAt;
    this.#request();
    this.#checkTimer = setTimeout(() => this.#tick(), this.#options.everyMs + 1);
  }

  stop(): void {
    clearInterval(this.#timer);
    clearTimeout(this.#checkTimer);
  }

  #tick(): void {
    const now = this.#deps.now();
    const late = now - this.#tickAt > 2 * this.#tickMs + this.#options.everyMs / 2;
    this.#tickAt = now;
    const stalled = this.#observe();
    if (late) {
      // This process itself was stopped or starved: the silence says nothing about the peer.
      this.#alive(now);
      this.#heard(now, this.#answered.carried);
    }
    // A sign of life is dated by the tick that saw it, up to one tick late: give up one tick early to keep the promise.
    // Half a tick more, because a tick may come a moment before its time, and the next one would be too late.
    const silentMs = now - this.#lifeAt;
    const patienceMs = this.#options.everyMs * this.#options.lostAfter;
    const budgetMs = patienceMs - 1.5 * this.#tickMs;
    const checkFailed = this.#checkedAt !== undefined && now - this.#checkedAt >= this.#options.everyMs;
    if (silentMs >= budgetMs || checkFailed) {
      this.#giveUp(silentMs, 'silent');
      return;
    }
    const unansweredMs = now - this.#answered.at;
    const onTheWayMs = (carried(this.#last) - this.#answered.carried) / SLOWEST_BYTES_PER_MS;
    if (unansweredMs >= Math.min(ANSWER_PATIENCES * patienceMs + onTheWayMs, MOST_PATIENCES * patienceMs)) {
      this.#giveUp(unansweredMs, 'deaf');
      return;
    }
    if (stalled && !late) this.check();
    if (now - this.#requestedAt >= this.#askEveryMs - this.#tickMs / 2) this.#request();
  }

  /** Looks for a sign of life since the last look; true when instead data of ours has been stuck in between. */
  #observe(): boolean {
    const seen = this.#deps.lifesigns();
    const drains = this.#last.backlog > 0 && seen.flushed > this.#last.flushed;
    const alive = seen.received > this.#last.received || drains;
    if (alive) this.#alive(this.#deps.now());
    const stalled = !alive && this.#last.backlog > 0 && seen.backlog > 0;
    this.#last = seen;
    return stalled;
  }

  #alive(now: number): void {
    this.#lifeAt = now;
    this.#checkedAt = undefined;
    clearTimeout(this.#checkTimer);
  }

  /** The peer hears us, or at least nothing is known to the contrary. */
  #heard(now: number, carriedBefore: number): void {
    this.#doubtedAt = undefined;
    this.#answered = { at: now, carried: carriedBefore };
  }

  #giveUp(sinceMs: number, what: 'silent' | 'deaf'): void {
    this.stop();
    this.#deps.onLost(sinceMs, what);
  }

  #request(): void {
    const sentAt = this.#deps.now();
    this.#requestedAt = sentAt;
    const carriedBefore = carried(this.#deps.lifesigns());
    this.#deps.request(() => {
      const now = this.#deps.now();
      this.#rttMs = now - sentAt;
      this.#alive(now);
      this.#heard(now, carriedBefore);
      this.#last = this.#deps.lifesigns();
    });
  }
}

function carried({ received, flushed }: Lifesigns): number {
  return received + flushed;
}
