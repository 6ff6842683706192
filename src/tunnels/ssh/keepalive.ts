import type { RequestOrder, SentKeepalive } from './request-order.ts';

/** When a silent session is lost (`keepalive` in the tunnel YAML). */
export interface KeepaliveOptions {
  /** Longest interval between two requests, in milliseconds. */
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
  /** Whether the server answers such a request. Another one is asked in a way that its log shows. */
  answersRequests(): boolean;
  /** Whether the end of the session would cut something. */
  inUse(): boolean;
  /** The server has answered a keepalive. */
  onAnswered(): void;
  /** The peer is lost. For `sinceMs` it sent nothing (`silent`), or sent data but no answer (`deaf`). */
  onLost(sinceMs: number, what: 'silent' | 'deaf'): void;
  /** Monotonic milliseconds. */
  now(): number;
}

/** A session is suspect when a keepalive has no answer for this long, even with a short round trip. */
const SUSPECT_FLOOR_MS = 250;
const SUSPECT_ROUND_TRIPS = 4;
/** The shortest of so many round trips counts: a single long one measures an outage or a busy moment. */
const ROUND_TRIPS_KEPT = 16;

/** After this part of `every` without a byte, a session in use is asked: the answer shows that the network is still there. */
const ASK_AFTER = 0.15;

/** A check within this time after the last request asks nothing new, in milliseconds. */
const CHECK_PAUSE_MS = 50;

/**
 * While the peer still sends, an answer may take ANSWER_PATIENCES times as long as silence. The time to carry the bytes
 * since the last answer over the slowest supported link is added. MOST_PATIENCES limits the sum.
 */
const ANSWER_PATIENCES = 4;
const SLOWEST_BYTES_PER_MS = 2;
const MOST_PATIENCES = 16;

/**
 * Finds a half-open session. Unlike in ssh2's keepalive, every byte from the peer is a sign of life, and so is a send
 * queue that drains: on a slow link under bulk load, replies wait for seconds. Silence for `every` × `lost_after` ends the
 * session, and nothing sooner. For a session in use, silence begins with a question: an idle peer that nobody asks is not
 * silent. But answers come in order. A peer whose answer is missing for longer than the queued data
 * can take does not receive our data, even if it still sends.
 */
export class Keepalive {
  readonly #options: KeepaliveOptions;
  readonly #deps: KeepaliveDependencies;
  readonly #order: RequestOrder;
  readonly #tickMs: number;
  readonly #timer: NodeJS.Timeout;
  #last: Lifesigns;
  #lifeAt: number;
  /** When the first question left since the last sign of life; undefined before. */
  #silentSince: number | undefined;
  /** When our data moved last, or nothing waited. */
  #movedAt: number;
  /** Time of the last answer, and the bytes carried both ways when its request was sent: later bytes may be in transit. */
  #answered: { readonly at: number; readonly carried: number };
  #tickAt: number;
  #requestedAt = 0;
  #answeringSince = Number.NEGATIVE_INFINITY;
  /** In milliseconds, newest last. */
  readonly #roundTrips: number[] = [];
  #verdict: NodeJS.Immediate | undefined;

  constructor(options: KeepaliveOptions, order: RequestOrder, deps: KeepaliveDependencies) {
    this.#options = options;
    this.#order = order;
    this.#deps = deps;
    this.#last = deps.lifesigns();
    this.#lifeAt = this.#movedAt = this.#tickAt = deps.now();
    this.#answered = { at: this.#lifeAt, carried: carried(this.#last) };
    this.#tickMs = options.everyMs / 20;
    this.#timer = setInterval(() => this.#tick(), this.#tickMs);
    this.request();
  }

  /** Round trip of the last request, in milliseconds. */
  get rttMs(): number | undefined {
    return this.#roundTrips.at(-1);
  }

  /** How long an answer may take before the session is suspect, in milliseconds. */
  get patienceMs(): number {
    return Math.max(SUSPECT_FLOOR_MS, SUSPECT_ROUND_TRIPS * this.shortestRttMs);
  }

  /** The shortest of the last round trips, in milliseconds; 0 before the first answer. */
  get shortestRttMs(): number {
    return this.#roundTrips.length === 0 ? 0 : Math.min(...this.#roundTrips);
  }

  /**
   * A keepalive has no answer for longer than a few round trips. Other traffic from the peer is not an answer: if packets
   * are lost in one direction only, data still arrives here while nothing arrives at the peer.
   */
  get suspect(): boolean {
    const since = this.#order.waitingSince;
    return since !== undefined && this.#deps.now() - since >= this.patienceMs;
  }

  /** When an answer came last after the session was suspect, as of `now`; -Infinity if never. */
  get answeringSince(): number {
    return this.#answeringSince;
  }

  /** Asks the peer immediately, because a connection looks dead. No answer makes the session suspect, and does not end it. */
  check(): void {
    const waits = this.#order.waitingSince !== undefined;
    if (!waits && this.#deps.now() - this.#requestedAt >= CHECK_PAUSE_MS) this.request();
  }

  /** Sends a keepalive. `onAnswer` is called at its answer. */
  request(onAnswer?: () => void): void {
    const sentAt = this.#deps.now();
    this.#requestedAt = sentAt;
    this.#silentSince ??= sentAt;
    const position = this.#order.keepalive({ sentAt, carried: carried(this.#deps.lifesigns()) });
    this.#deps.request(() => {
      this.#roundTrips.push(this.#deps.now() - sentAt);
      if (this.#roundTrips.length > ROUND_TRIPS_KEPT) this.#roundTrips.shift();
      this.heard(this.#order.answered(position));
      onAnswer?.();
      this.#deps.onAnswered();
    });
  }

  /** The server has answered a request, and so passed this keepalive, if any. */
  heard(passed: SentKeepalive | undefined): void {
    const now = this.#deps.now();
    this.#lives(now);
    this.#last = this.#deps.lifesigns();
    if (!passed) return;
    this.#answered = { at: now, carried: passed.carried };
    if (now - passed.sentAt >= this.patienceMs) this.#answeringSince = now;
  }

  stop(): void {
    clearInterval(this.#timer);
    clearImmediate(this.#verdict);
  }

  #tick(): void {
    const { everyMs, lostAfter } = this.#options;
    const now = this.#deps.now();
    const late = now - this.#tickAt > 2 * this.#tickMs + everyMs / 2;
    this.#tickAt = now;
    this.#observe(now);
    if (late) {
      // This process was stopped or had no CPU: the silence says nothing about the peer.
      this.#lifeAt = this.#movedAt = now;
      if (this.#silentSince !== undefined) this.#silentSince = now;
      this.#answered = { at: now, carried: this.#answered.carried };
      this.#order.postpone(now);
    }
    const patienceMs = everyMs * lostAfter;
    if (this.#silentMs(now) >= patienceMs) {
      // A byte may wait in the kernel: the event loop reads it before this check.
      this.#verdict ??= setImmediate(() => this.#conclude(patienceMs));
      return;
    }
    const unansweredMs = now - this.#answered.at;
    const onTheWayMs = (carried(this.#last) - this.#answered.carried) / SLOWEST_BYTES_PER_MS;
    if (unansweredMs >= Math.min(ANSWER_PATIENCES * patienceMs + onTheWayMs, MOST_PATIENCES * patienceMs)) {
      this.#giveUp(unansweredMs, 'deaf');
      return;
    }
    if (now - this.#movedAt >= everyMs / 5) this.check();
    if (this.#isDue(now)) this.request();
  }

  /** The first question after the last byte comes early: only the time from that question on is known to be silence. */
  #isDue(now: number): boolean {
    const { everyMs } = this.#options;
    const sinceMs = now - this.#requestedAt + this.#tickMs / 2;
    if (sinceMs >= everyMs) return true;
    if (this.#silentSince !== undefined || !this.#deps.answersRequests() || !this.#deps.inUse()) return false;
    return Math.min(sinceMs, now - this.#lifeAt + this.#tickMs / 2) >= everyMs * ASK_AFTER;
  }

  /** The end of an unused session cuts nothing, and its next login may find the network again. */
  #silentMs(now: number): number {
    return now - (this.#deps.inUse() ? (this.#silentSince ?? now) : this.#lifeAt);
  }

  #lives(now: number): void {
    this.#lifeAt = now;
    this.#silentSince = undefined;
  }

  #conclude(patienceMs: number): void {
    this.#verdict = undefined;
    const now = this.#deps.now();
    this.#observe(now);
    const silentMs = this.#silentMs(now);
    if (silentMs >= patienceMs) this.#giveUp(silentMs, 'silent');
  }

  /** Looks for a sign of life since the last call. */
  #observe(now: number): void {
    const seen = this.#deps.lifesigns();
    const drains = this.#last.backlog > 0 && seen.flushed > this.#last.flushed;
    const alive = seen.received > this.#last.received || drains;
    if (alive) this.#lives(now);
    if (alive || this.#last.backlog === 0 || seen.backlog === 0) this.#movedAt = now;
    this.#last = seen;
  }

  #giveUp(sinceMs: number, what: 'silent' | 'deaf'): void {
    this.stop();
    this.#deps.onLost(sinceMs, what);
  }
}

function carried({ received, flushed }: Lifesigns): number {
  return received + flushed;
}
