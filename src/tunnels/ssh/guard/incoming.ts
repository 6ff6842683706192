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
  channelOpenFail(channel: number, reason: number, description: string): void;
}

/** A request for a channel to this side, as far as ssh2 could read the message. */
export interface Opening {
  readonly type?: string;
  /** The number of the channel at the server. */
  readonly sender?: number;
  readonly packetSize?: number;
  readonly data?: { readonly destIP?: string; readonly destPort?: number; readonly socketPath?: string };
}

/** An extension of a server (RFC 8308). */
export interface Extension {
  readonly name: string;
  readonly algs?: readonly string[];
}

/** The extension that lists the algorithms for the signatures of logins (RFC 8308 section 3.1). */
export const SIGNATURE_ALGORITHMS = 'server-sig-algs';

/** RFC 4254 section 5.1. */
const RESOURCE_SHORTAGE = 4;

const WATCHED = [
  'SERVICE_ACCEPT',
  'EXT_INFO',
  'USERAUTH_FAILURE',
  'USERAUTH_PK_OK',
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
  readonly #onExtensions: ((...args: unknown[]) => void) | undefined;

  /** Call this right after `connect()`: ssh2 hands its function for messages to each new cipher. */
  constructor(client: Client) {
    const { _protocol: protocol } = client as unknown as { _protocol?: Partial<Protocol> };
    const known =
      typeof protocol?._onPayload === 'function' &&
      typeof protocol.disconnect === 'function' &&
      typeof protocol.requestFailure === 'function' &&
      typeof protocol.channelOpenFail === 'function' &&
      WATCHED.every((name) => typeof protocol._handlers?.[name] === 'function');
    if (!known) throw unsupported('this version of ssh2 is not supported; nothing was sent');
    this.#client = client;
    this.#protocol = protocol as Protocol;
    this.#onExtensions = this.#protocol._handlers['EXT_INFO'];
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

  /** Lets ssh2 believe that the server accepts signatures by these algorithms (RFC 8308 section 3.1). */
  pretendAlgorithms(algs: readonly string[]): void {
    this.#onExtensions?.(this.#protocol, [{ name: SIGNATURE_ALGORITHMS, algs }]);
  }

  /** The windows of an open channel of ssh2; undefined for any other channel. */
  windows(channel: number): Windows | undefined {
    const { _chanMgr: channels } = this.#client as unknown as { _chanMgr?: { get(channel: number): unknown } };
    const found = channels?.get(channel) as { incoming?: { window?: unknown } } | undefined;
    return typeof found?.incoming?.window === 'number' ? (found as Windows) : undefined;
  }

  /** Whether the channel is a connection to a listener that this side has at the peer. */
  isForListener({ type, data }: Opening): boolean {
    const { _forwarding: tcp = {}, _forwardingUnix: unix = {} } = this.#client as unknown as {
      _forwarding?: object;
      _forwardingUnix?: object;
    };
    if (type === 'forwarded-tcpip') return Object.hasOwn(tcp, `${data?.destIP}:${data?.destPort}`);
    return type === 'forwarded-streamlocal@openssh.com' && Object.hasOwn(unix, `${data?.socketPath}`);
  }

  /** Refuses a channel, because there are too many. */
  refuseChannel({ sender = 0 }: Opening): void {
    this.#protocol.channelOpenFail(sender, RESOURCE_SHORTAGE, '');
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
