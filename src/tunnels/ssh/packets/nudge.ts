/** SSH_MSG_IGNORE (RFC 4253 section 11.2) with an empty string. */
const IGNORE = 2;
const IGNORE_BYTES = 5;

/** Data is acknowledged after this time without a packet of ours, in milliseconds. */
const AFTER_DATA_MS = 1;

export interface NudgeDependencies {
  /** Packets sent so far. */
  sent(): number;
  send(): void;
}

/**
 * Acknowledges what sshd has sent. sshd sets no TCP_NODELAY for forwards, so its next small packet waits for the
 * acknowledgement of the one before, which our kernel delays by 40 ms (RFC 9293 section 3.7.4, RFC 1122 section 4.2.3.2).
 * Any segment of ours carries the acknowledgement, so we send a packet without meaning: after control messages at the end
 * of the turn of the event loop, and after data only if nothing of ours leaves within a millisecond. A client that answers acknowledges by itself.
 */
export class Nudge {
  readonly #deps: NudgeDependencies;
  /** The packets that had been sent when the last piece came: if no more are sent, that piece is not acknowledged. */
  #sentBefore = 0;
  #turn = false;
  #timer = false;
  readonly #onTurn = () => {
    this.#turn = false;
    this.#send();
  };
  readonly #onTimer = () => {
    this.#timer = false;
    this.#send();
  };

  constructor(deps: NudgeDependencies) {
    this.#deps = deps;
  }

  /** A piece has arrived; `before` are the packets that had been sent then. */
  arrived(before: number, withData: boolean): void {
    this.#sentBefore = before;
    if (this.#deps.sent() !== before) return;
    if (!withData && !this.#turn) {
      this.#turn = true;
      setImmediate(this.#onTurn);
    } else if (withData && !this.#timer) {
      this.#timer = true;
      setTimeout(this.#onTimer, AFTER_DATA_MS);
    }
  }

  #send(): void {
    if (this.#deps.sent() === this.#sentBefore) this.#deps.send();
  }
}

/** The payload of the packet that only acknowledges. */
export function ignorePayload(packet: Buffer, offset: number): void {
  packet[offset] = IGNORE;
  packet.writeUInt32BE(0, offset + 1);
}

export { IGNORE_BYTES };
