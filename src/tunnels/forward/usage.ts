import type { Socket } from 'node:net';
import { Crowd, type Placed } from '../../base/async/crowd.ts';
import type { UsageCounts } from '../../telemetry/status/status.ts';

/** After this long without client activity, the next use is an event; in milliseconds. */
const IDLE_MS = 60_000;

/** How a socket is counted. */
interface Counted extends Placed {
  readonly socket: Socket;
  /** The kind of the other end. */
  readonly peer: 'client' | 'target';
  /** Bytes of a SOCKS handshake: the socket's own counters when it was joined to its channel. */
  readonly read: number;
  readonly written: number;
}

export interface UsageListener {
  /** A client is active again after an idle time. */
  onUsed?(at: Date): void;
  /** A connection is no longer held. */
  onHeld?(seconds: number): void;
}

/**
 * The usage of one tunnel by clients. The sockets count the bytes themselves, so that
 * counting costs the data path nothing. Probes do not count.
 */
export class Usage {
  /** Sockets on this side of the tunnel. */
  readonly #open = new Crowd<Counted>();
  #openedTotal = 0;
  #failedTotal = 0;
  #held = 0;
  /** Clients that have no channel yet, for whatever reason. */
  #waiting = 0;
  #closedToTarget = 0;
  #closedFromTarget = 0;
  #bytesSeen = 0;
  #lastActivityAt: Date | undefined;
  readonly #told: UsageListener;

  constructor(told: UsageListener = {}) {
    this.#told = told;
  }

  get open(): number {
    return this.#open.size;
  }

  get lastActivityAt(): Date | undefined {
    return this.#lastActivityAt;
  }

  /** Clients that are held for a link or at a junction; {@link status} also has those that wait for something else. */
  get held(): number {
    return this.#held;
  }

  /** A client connected or was active. This counts as activity, even when the connection fails later. */
  arrived(now: Date): void {
    const idleMs = now.getTime() - (this.#lastActivityAt?.getTime() ?? 0);
    this.#lastActivityAt = now;
    // After the clock was set back, the length of the idle time is unknown.
    if (idleMs > IDLE_MS || idleMs < 0) this.#told.onUsed?.(now);
  }

  /**
   * The connection has its channel and its socket on this side, to a client or to the target. It counts as open until
   * the socket closes. Bytes of a handshake before this call do not count.
   */
  opened(socket: Socket, peer: Counted['peer'] = 'client'): void {
    this.#openedTotal++;
    const { bytesRead, readableLength, bytesWritten } = socket;
    const counted = { socket, peer, read: bytesRead - readableLength, written: bytesWritten, place: -1 };
    this.#open.add(counted);
    socket.once('close', () => {
      this.#open.remove(counted);
      const moved = bytesOf(counted);
      this.#closedToTarget += moved.toTarget;
      this.#closedFromTarget += moved.fromTarget;
      this.arrived(new Date());
    });
  }

  /** The connection never got a channel. */
  failed(): void {
    this.#failedTotal++;
  }

  /**
   * The client has no channel yet while `way` is pending: the client is in its handshake, is held, or waits for the answer
   * of the target. Such a client uses the tunnel until the end of the wait.
   */
  async waiting<T>(way: Promise<T>): Promise<T> {
    this.beginWait();
    try {
      return await way;
    } finally {
      this.endWait();
    }
  }

  /** Like {@link waiting}, for a caller that has its own `finally` for {@link endWait}. */
  beginWait(): void {
    this.#waiting++;
  }

  endWait(): void {
    this.#waiting--;
    this.arrived(new Date());
  }

  /** Within {@link waiting}: the client is held and timed while `wait` is pending, for a link or at a junction. */
  async holding<T>(wait: Promise<T>): Promise<T> {
    const since = performance.now();
    this.#held++;
    try {
      return await wait;
    } finally {
      this.#held--;
      this.#told.onHeld?.((performance.now() - since) / 1000);
    }
  }

  /** Checks whether bytes moved since the last call. Called once a second, so activity is dated to the second. */
  sample(now: Date): void {
    if (this.#open.size === 0) {
      this.#bytesSeen = this.#closedToTarget + this.#closedFromTarget;
      return;
    }
    // Of ten thousand connections each second: without an object for each of them.
    let seen = this.#closedToTarget + this.#closedFromTarget;
    for (const { socket, read, written } of this.#open) seen += socket.bytesRead - read + socket.bytesWritten - written;
    if (seen > this.#bytesSeen) this.arrived(now);
    this.#bytesSeen = seen;
  }

  status(): UsageCounts {
    const { toTarget, fromTarget } = this.#bytes();
    return {
      open: this.#open.size,
      opened_total: this.#openedTotal,
      failed_total: this.#failedTotal,
      held: this.#waiting,
      bytes_to_target: toTarget,
      bytes_from_target: fromTarget,
      last_activity_at: this.#lastActivityAt ?? null,
    };
  }

  #bytes(): { toTarget: number; fromTarget: number } {
    let toTarget = this.#closedToTarget;
    let fromTarget = this.#closedFromTarget;
    for (const counted of this.#open) {
      const moved = bytesOf(counted);
      toTarget += moved.toTarget;
      fromTarget += moved.fromTarget;
    }
    return { toTarget, fromTarget };
  }
}

/** Adds the usage of two forwards. Pure. */
export function sumOf(a: UsageCounts, b: UsageCounts): UsageCounts {
  const [first, second] = [a.last_activity_at, b.last_activity_at];
  return {
    open: a.open + b.open,
    opened_total: a.opened_total + b.opened_total,
    failed_total: a.failed_total + b.failed_total,
    held: a.held + b.held,
    bytes_to_target: a.bytes_to_target + b.bytes_to_target,
    bytes_from_target: a.bytes_from_target + b.bytes_from_target,
    last_activity_at: first && second ? new Date(Math.max(first.getTime(), second.getTime())) : (first ?? second),
  };
}

function bytesOf({ socket, peer, read, written }: Counted) {
  const received = socket.bytesRead - read;
  const sent = socket.bytesWritten - written;
  return peer === 'client' ? { toTarget: received, fromTarget: sent } : { toTarget: sent, fromTarget: received };
}
