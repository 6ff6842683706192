import { Keepalive, type KeepaliveOptions } from '../../../src/tunnels/ssh/keepalive.ts';
import { RequestOrder } from '../../../src/tunnels/ssh/request-order.ts';

/** A connection whose counters the test sets, and whose peer answers after `rttMs` or never. */
export class FakeConnection {
  received = 0;
  flushed = 0;
  backlog = 0;
  rttMs: number | undefined = 1;
  requests = 0;
  /** Whether the server is one that answers global requests. */
  answersRequests = true;
  inUse = true;
  lostAt: number | undefined;
  silentMs: number | undefined;
  lostHow: string | undefined;
  /** Moves the clock ahead of the timers, as after a stopped process. */
  stoppedMs = 0;
  /** Whether answers wait for {@link release}. */
  hold = false;
  readonly #held: (() => void)[] = [];
  readonly order = new RequestOrder();
  readonly keepalive: Keepalive;

  constructor(options: KeepaliveOptions) {
    this.keepalive = new Keepalive(options, this.order, {
      lifesigns: () => ({ received: this.received, flushed: this.flushed, backlog: this.backlog }),
      request: (onReply) => {
        this.requests++;
        const asked = this.rttMs;
        if (asked === undefined) return;
        const answer = () => {
          this.received += 28;
          onReply();
        };
        if (this.hold) this.#held.push(answer);
        else setTimeout(answer, asked);
      },
      answersRequests: () => this.answersRequests,
      inUse: () => this.inUse,
      onAnswered: () => {},
      onLost: (sinceMs, how) => {
        this.lostAt = this.now();
        this.silentMs = sinceMs;
        this.lostHow = how;
      },
      now: () => this.now(),
    });
  }

  /** All held answers arrive. */
  release(): void {
    this.hold = false;
    for (const answer of this.#held.splice(0)) answer();
  }

  now(): number {
    return performance.now() + this.stoppedMs;
  }
}
