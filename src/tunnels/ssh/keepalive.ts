/** When a silent session is lost (`keepalive` in the tunnel YAML). */
export interface KeepaliveOptions {
  /** Interval between two requests, in milliseconds. */
  readonly everyMs: number;
  /** The session is lost after this many silent intervals. */
  readonly lostAfter: number;
}

/** The traffic of a connection. Counters only grow. */
export interface Lifesigns {
  /** Bytes received from the peer. */
  readonly received: number;
  /** Bytes handed to the kernel for sending. */
  readonly flushed: number;
  /** Bytes that wait in this process because the kernel's send buffer is full. */
  readonly backlog: number;
}

export interface KeepaliveDependencies {
  lifesigns(): Lifesigns;
  /** Sends `keepalive@openssh.com` (OpenSSH PROTOCOL, section 2.2) and calls back at any reply. */
  request(onReply: () => void): void;
  /** The peer is lost. For `sinceMs` it sent nothing (`silent`), or sent data but no answer (`deaf`). */
  onLost(sinceMs: number, what: 'silent' | 'deaf'): void;
  /** Monotonic milliseconds. */
  now(): number;
}

/** A check makes the session suspect only after this time, even with a short round trip. */
const SUSPECT_FLOOR_MS = 250;
const SUSPECT_ROUND_TRIPS = 4;

/**
 * While the peer still sends, an answer may take ANSWER_PATIENCES times as long as silence. The time to carry the bytes
 * since the last answer over the slowest supported link is added. MOST_PATIENCES limits the sum.
 */
const ANSWER_PATIENCES = 4;
const SLOWEST_BYTES_PER_MS = 2;
const MOST_PATIENCES = 16;

/**
 * Finds a half-open session. Unlike in ssh2's keepalive, every byte from the peer is a sign of life, and so is a send
 * queue that drains: on a slow link under bulk load, replies wait for seconds. But answers come in order. A peer whose
 * answer is missing for longer than the queued data can take does not receive our data, even if it still sends.
 */
export class Keepalive {
  readonly #options: KeepaliveOptions;
  readonly #deps: KeepaliveDependencies;
  readonly #tickMs: number;
  readonly #askEveryMs: number;
  readonly #timer: NodeJS.Timeout;
  #last: Lifesigns;
  #lifeAt: number;
  /** Time of the last answer, and the bytes carried both ways when its request was sent: later bytes may be in transit. */
  #answered: { readonly at: number; readonly carried: number };
  #tickAt: number;
  #requestedAt = 0;
  #checkedAt: number | undefined;
  #doubtedAt: number | undefined;
  #rttMs: number | undefined;
  #shortestRttMs: number | undefined;
  #checkTimer: NodeJS.Timeout | undefined;

  constructor(options: KeepaliveOptions, deps: KeepaliveDependencies) {
    this.#options = options;
    this.#deps = deps;
    this.#last = deps.lifesigns();
    this.#lifeAt = this.#tickAt = deps.now();
    this.#answered = { at: this.#lifeAt, carried: carried(this.#last) };
    this.#tickMs = options.everyMs / 5;
    // If one silent interval ends the session, the request must be early enough in the interval for an answer.
    this.#askEveryMs = options.lostAfter === 1 ? 2 * this.#tickMs : options.everyMs;
    this.#timer = setInterval(() => this.#tick(), this.#tickMs);
    this.#request();
  }

  /** Round trip of the last request, in milliseconds. */
  get rttMs(): number | undefined {
    return this.#rttMs;
  }

  /** The shortest round trip so far, in milliseconds; 0 before the first answer. */
  get shortestRttMs(): number {
    return this.#shortestRttMs ?? 0;
  }

  /**
   * A check has no answer for longer than a few round trips. Other traffic from the peer is not an answer: if packets are
   * lost in one direction only, data still arrives here while nothing arrives at the peer.
   */
  get suspect(): boolean {
    if (this.#doubtedAt === undefined) return false;
    const patience = Math.max(SUSPECT_FLOOR_MS, SUSPECT_ROUND_TRIPS * (this.#rttMs ?? 0));
    return this.#deps.now() - this.#doubtedAt >= patience;
  }

  /**
   * Asks the peer immediately, because a connection looks dead. From now on one silent interval is enough to lose the
   * session. Any sign of life prevents the loss, but only an answer ends the suspicion.
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
      // This process was stopped or had no CPU: the silence says nothing about the peer.
      this.#alive(now);
      this.#heard(now, this.#answered.carried);
    }
    // A sign of life gets the time of the tick that saw it, up to one tick late: so lose the session one tick early.
    // Half a tick more, because a tick may come slightly early, and the next tick would be too late.
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

  /** Looks for a sign of life since the last call; true when instead our data did not move. */
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

  /** The peer receives our data, as far as known. */
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
      this.#shortestRttMs = Math.min(this.#rttMs, this.#shortestRttMs ?? this.#rttMs);
      this.#alive(now);
      this.#heard(now, carriedBefore);
      this.#last = this.#deps.lifesigns();
    });
  }
}

function carried({ received, flushed }: Lifesigns): number {
  return received + flushed;
}
