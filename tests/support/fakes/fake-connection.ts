import { Keepalive, type KeepaliveOptions } from '../../../src/tunnels/ssh/keepalive.ts';
import { RequestOrder } from '../../../src/tunnels/ssh/request-order.ts';

/** A connection whose counters the test sets, and whose peer answers after `rttMs` or never. */
export class FakeConnection {
  received = 0;
  flushed = 0;
  backlog = 0;
  rttMs: number | undefined = 1;
  requests = 0;
  lostAt: number | undefined;
  silentMs: number | undefined;
  lostHow: string | undefined;
  /** Moves the clock ahead of the timers, as after a stopped process. */
  stoppedMs = 0;
  readonly order = new RequestOrder();
  readonly keepalive: Keepalive;

  constructor(options: KeepaliveOptions) {
    this.keepalive = new Keepalive(options, this.order, {
      lifesigns: () => ({ received: this.received, flushed: this.flushed, backlog: this.backlog }),
      request: (onReply) => {
        this.requests++;
        const asked = this.rttMs;
        if (asked === undefined) return;
        setTimeout(() => {
          this.received += 28;
          onReply();
        }, asked);
      },
      onAnswered: () => {},
      onLost: (sinceMs, how) => {
        this.lostAt = this.now();
        this.silentMs = sinceMs;
        this.lostHow = how;
      },
      now: () => this.now(),
    });
  }

  now(): number {
    return performance.now() + this.stoppedMs;
  }
}
