import type { Client } from 'ssh2';
import { isIdle, MESSAGE } from '../message.ts';
import { unsupported } from '../ssh2-insides.ts';

// More private parts of ssh2 1.17.0: the only places where the messages of a peer can be seen before ssh2 acts on them.

/** ssh2 returns this after a fatal error: the rest of the received bytes is not read. */
const READ_NO_MORE = Number.POSITIVE_INFINITY;

type OnPayload = (payload: Uint8Array) => unknown;

/** Windows of a channel, in bytes: `incoming` is what the peer may still send. */
export interface Windows {
  readonly incoming: { readonly window: number };
  readonly outgoing: { readonly window: number };
}

interface Protocol {
  _onPayload: OnPayload;
  _decipher?: { _onPayload: OnPayload };
  readonly _handlers: Record<string, ((...args: unknown[]) => void) | undefined>;
  disconnect(reason: number): void;
  requestFailure(): void;
}

const WATCHED = [
  'USERAUTH_FAILURE',
  'GLOBAL_REQUEST',
  'CHANNEL_OPEN',
  'CHANNEL_OPEN_CONFIRMATION',
  'CHANNEL_DATA',
  'CHANNEL_EXTENDED_DATA',
  'CHANNEL_WINDOW_ADJUST',
] as const;

type Watched = (typeof WATCHED)[number];

/** Decides about a message: `stop` means that the session has ended. */
export type Judge = (type: number, bytes: number) => 'pass' | 'drop' | 'stop';

/** The messages of one peer, before ssh2 acts on them. Throws `internal` for another version of ssh2. */
export class Incoming {
  readonly #client: Client;
  readonly #protocol: Protocol;

  /** Call this right after `connect()`: ssh2 hands its function for messages to each new cipher. */
  constructor(client: Client) {
    const { _protocol: protocol } = client as unknown as { _protocol?: Partial<Protocol> };
    const known =
      typeof protocol?._onPayload === 'function' &&
      typeof protocol.disconnect === 'function' &&
      typeof protocol.requestFailure === 'function' &&
      WATCHED.every((name) => typeof protocol._handlers?.[name] === 'function');
    if (!known) throw unsupported('this version of ssh2 is not supported; nothing was sent');
    this.#client = client;
    this.#protocol = protocol as Protocol;
  }

  /**
   * Asks `judge` about each message from the end of the first key exchange on. Later exchanges are friendlier than ssh2,
   * whose session would end: asyncssh 2.10 sends SSH_MSG_IGNORE and data after it has begun an exchange.
   */
  judge(judge: Judge): void {
    const protocol = this.#protocol;
    const { _onPayload: handle } = protocol;
    protocol._onPayload = (payload) => {
      const type = payload[0] ?? 0;
      const verdict = judge(type, payload.length);
      if (verdict === 'stop') return READ_NO_MORE;
      if (verdict === 'drop') return undefined;
      const result = handle(payload);
      if (type === MESSAGE.kexInit && result === undefined) allowOtherMessages(protocol);
      return result;
    };
  }

  /** Calls `before` with the arguments of a message; false means that ssh2 does not see the message. */
  watch(name: Watched, before: (...args: never[]) => boolean): void {
    const { _handlers: handlers } = this.#protocol;
    const handle = handlers[name];
    const passes = before as (...args: unknown[]) => boolean;
    // ssh2 gives each of these messages three arguments at most. An array for each message would be garbage.
    handlers[name] = (protocol, first, second, third) => {
      if (passes(first, second, third)) handle?.(protocol, first, second, third);
    };
  }

  /** The windows of an open channel of ssh2; undefined for any other channel. */
  windows(channel: number): Windows | undefined {
    const { _chanMgr: channels } = this.#client as unknown as { _chanMgr?: { get(channel: number): unknown } };
    const found = channels?.get(channel) as { incoming?: { window?: unknown } } | undefined;
    return typeof found?.incoming?.window === 'number' ? (found as Windows) : undefined;
  }

  /** Whether this side has a listener at the peer. */
  get listens(): boolean {
    const { _forwarding: tcp = {}, _forwardingUnix: unix = {} } = this.#client as unknown as {
      _forwarding?: object;
      _forwardingUnix?: object;
    };
    return Object.keys(tcp).length + Object.keys(unix).length > 0;
  }

  /** Answers a global request with a failure. */
  refuse(): void {
    this.#protocol.requestFailure();
  }

  /** Sends SSH_MSG_DISCONNECT: the peer broke the protocol. */
  disconnect(): void {
    this.#protocol.disconnect(2);
  }
}

/**
 * In every exchange, ssh2 rejects what strict key exchange forbids only in the first one (OpenSSH PROTOCOL, section 1.10).
 * Messages about channels are forbidden too (RFC 4253 section 7.1), but the old keys still protect them, and OpenSSH
 * accepts them.
 */
function allowOtherMessages(protocol: Protocol): void {
  const { _decipher: decipher } = protocol;
  if (!decipher) return;
  const { _onPayload: exchange } = decipher;
  decipher._onPayload = (payload) => {
    const type = payload[0] ?? 0;
    return isIdle(type) || type >= MESSAGE.globalRequest ? protocol._onPayload(payload) : exchange(payload);
  };
}
