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
 * Any segment of ours carries the acknowledgement, so we send a packet without meaning: at once after control messages,
 * and after data only if nothing of ours leaves within a millisecond. A client that answers acknowledges by itself.
 */
export class Nudge {
  readonly #deps: NudgeDependencies;
  #owedSince: number | undefined;
  #armed = false;

  constructor(deps: NudgeDependencies) {
    this.#deps = deps;
  }

  /** A piece has arrived; `before` are the packets that had been sent then. */
  arrived(before: number, withData: boolean): void {
    if (this.#deps.sent() !== before) return;
    if (!withData) {
      this.#deps.send();
      return;
    }
    this.#owedSince = before;
    if (this.#armed) return;
    this.#armed = true;
    this.#wait();
  }

  #wait(): void {
    setTimeout(() => {
      this.#armed = false;
      if (this.#owedSince === this.#deps.sent()) this.#deps.send();
    }, AFTER_DATA_MS);
  }
}

/** The payload of the packet that only acknowledges. */
export function ignorePayload(packet: Buffer, offset: number): void {
  packet[offset] = IGNORE;
  packet.writeUInt32BE(0, offset + 1);
}

export { IGNORE_BYTES };
