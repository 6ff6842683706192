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
  /** The peer has been silent for `silentMs` and is given up. */
  onLost(silentMs: number): void;
  /** Monotonic milliseconds. */
  now(): number;
}

/** A reply that takes longer than this after a check makes the session suspect, whatever its round trip time is. */
const SUSPECT_FLOOR_MS = 250;
const SUSPECT_ROUND_TRIPS = 4;

/**
 * Finds a half-open session. Unlike ssh2's own keepalive, every byte from the peer counts as life, and so does a full
 * send queue that goes on draining: a slow link under bulk load is alive although its replies queue for seconds.
 */
export class Keepalive {
  readonly #options: KeepaliveOptions;
  readonly #deps: KeepaliveDependencies;
  readonly #tickMs: number;
  readonly #askEveryMs: number;
  readonly #timer: NodeJS.Timeout;
  #last: Lifesigns;
  #lifeAt: number;
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
      this.#doubtedAt = undefined;
    }
    // A sign of life is dated by the tick that saw it, up to one tick late: give up one tick early to keep the promise.
    // Half a tick more, because a tick may come a moment before its time, and the next one would be too late.
    const silentMs = now - this.#lifeAt;
    const budgetMs = this.#options.everyMs * this.#options.lostAfter - 1.5 * this.#tickMs;
    const checkFailed = this.#checkedAt !== undefined && now - this.#checkedAt >= this.#options.everyMs;
    if (silentMs >= budgetMs || checkFailed) {
      this.stop();
      this.#deps.onLost(silentMs);
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

  #request(): void {
    const sentAt = this.#deps.now();
    this.#requestedAt = sentAt;
    this.#deps.request(() => {
      const now = this.#deps.now();
      this.#rttMs = now - sentAt;
      this.#doubtedAt = undefined;
      this.#alive(now);
      this.#last = this.#deps.lifesigns();
    });
  }
}
