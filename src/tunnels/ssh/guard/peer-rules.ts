import { isIdle, MESSAGE } from '../message.ts';

/** The state of the connection when a message arrives. Counters only grow. */
export interface Traffic {
  /** Monotonic milliseconds. */
  readonly now: number;
  /** Bytes received from the peer. */
  readonly received: number;
  /** Bytes that this side has sent, and bytes of those that still wait in this process. */
  readonly written: number;
  readonly waiting: number;
}

/** `drop`: the message is ignored. An object: the session must end, and `broken` says what the peer does. */
export type Verdict = 'pass' | 'drop' | { readonly broken: string };

/** Messages that nobody asked for: so many at once, and so many more each second. sshd sends one in many seconds. */
const UNREQUESTED = { burst: 1_000, perSecond: 100 };
/** Connections to our listeners. No server known here accepts more than 7,000 each second. */
const CONNECTIONS = { burst: 10_000, perSecond: 2_000 };
/** Connections beyond that limit are refused at once, which costs microseconds. */
const REFUSALS = { burst: 20_000, perSecond: 5_000 };
/** Our smallest packet has 32 bytes. One open leads to five messages of the peer, with 100 bytes of ours or more. */
const BYTES_PER_ANSWER = 16;
/** asyncssh sends a message to ignore before each other message; so many may come later. */
const MOST_IDLE = 10_000;
/** Key exchanges cost milliseconds. Some servers start one for each 2 MB, so traffic allows more of them. */
const REKEYS = { burst: 30, perSecond: 1 };
const BYTES_PER_REKEY = 256 * 1024;
/** Requests of a peer that does not read our answers. */
const UNREAD_REQUESTS = 1_000;
const READS_BYTES = 64 * 1024;
/** Type, channel and length of SSH_MSG_CHANNEL_DATA without data. */
const EMPTY_DATA_BYTES = 9;

/** Says which messages a server may send after the login: a hostile server must not take our memory or our time. */
export class PeerRules {
  readonly #unrequested = new Bucket(UNREQUESTED);
  readonly #rekeys = new Bucket(REKEYS);
  readonly #connections = new Bucket(CONNECTIONS);
  readonly #refusals = new Bucket(REFUSALS);
  #answers = 0;
  #idle = 0;
  #rekeyedAt = 0;
  #unread = { requests: 0, flushed: 0 };

  /** The verdict on a message of `bytes` bytes. `traffic` is called only when the verdict depends on the traffic. */
  judge(type: number, bytes: number, traffic: () => Traffic): Verdict {
    if (isIdle(type)) {
      this.#idle -= 1;
      return this.#idle >= 0 ? 'drop' : worst(this.unrequested(traffic()), 'drop');
    }
    if (this.#idle < MOST_IDLE) this.#idle = Math.max(this.#idle, 0) + 1;
    switch (type) {
      case MESSAGE.data:
        return bytes > EMPTY_DATA_BYTES ? 'pass' : this.unrequested(traffic());
      case MESSAGE.channelOpen:
        return this.#request(traffic());
      case MESSAGE.globalRequest:
      case MESSAGE.channelRequest:
        return worst(this.unrequested(traffic()), this.#request(traffic()));
      case MESSAGE.requestSuccess:
      case MESSAGE.requestFailure:
      case MESSAGE.openConfirmation:
      case MESSAGE.openFailure:
      case MESSAGE.windowAdjust:
      case MESSAGE.endOfFile:
      case MESSAGE.close:
      case MESSAGE.channelSuccess:
      case MESSAGE.channelFailure:
        return this.#answer(traffic());
      case MESSAGE.kexInit:
        return this.#rekey(traffic());
    }
    const login = type === MESSAGE.serviceRequest || type === MESSAGE.serviceAccept || isLogin(type);
    return worst(this.unrequested(traffic()), login ? 'drop' : 'pass');
  }

  /** The verdict on a message that no action of ours has caused. */
  unrequested(traffic: Traffic): Verdict {
    return this.#unrequested.take(traffic.now) ? 'pass' : { broken: 'floods the session with messages' };
  }

  /** The verdict on a connection to a listener of ours; `drop`: to be refused. */
  connection({ now }: Traffic): Verdict {
    if (this.#connections.take(now)) return 'pass';
    return this.#refusals.take(now) ? 'drop' : { broken: 'floods the session with connections' };
  }

  /** Answers follow our own packets. Some servers also send more window for each piece that their reader takes. */
  #answer(traffic: Traffic): Verdict {
    this.#answers += 1;
    return this.#answers * BYTES_PER_ANSWER <= traffic.written ? 'pass' : this.unrequested(traffic);
  }

  #rekey(traffic: Traffic): Verdict {
    const carried = traffic.received + traffic.written;
    const earned = carried - this.#rekeyedAt >= BYTES_PER_REKEY;
    this.#rekeyedAt = carried;
    return earned || this.#rekeys.take(traffic.now) ? 'pass' : { broken: 'exchanges keys without end' };
  }

  /** Each request costs an answer, which waits here until the peer reads. */
  #request({ written, waiting }: Traffic): Verdict {
    const flushed = written - waiting;
    if (waiting === 0 || flushed - this.#unread.flushed >= READS_BYTES) this.#unread = { requests: 0, flushed };
    this.#unread.requests += 1;
    return this.#unread.requests <= UNREAD_REQUESTS ? 'pass' : { broken: 'sends requests, but reads no answers' };
  }
}

function isLogin(type: number): boolean {
  return type >= MESSAGE.firstLogin && type <= MESSAGE.lastLogin;
}

function worst(first: Verdict, second: Verdict): Verdict {
  return first === 'pass' ? second : first;
}

/** A token bucket, full at first. */
class Bucket {
  readonly #burst: number;
  readonly #perMs: number;
  #left: number;
  #at: number | undefined;

  constructor({ burst, perSecond }: { readonly burst: number; readonly perSecond: number }) {
    this.#burst = this.#left = burst;
    this.#perMs = perSecond / 1_000;
  }

  take(now: number): boolean {
    this.#left = Math.min(this.#burst, this.#left + (now - (this.#at ?? now)) * this.#perMs);
    this.#at = now;
    if (this.#left < 1) return false;
    this.#left -= 1;
    return true;
  }
}
