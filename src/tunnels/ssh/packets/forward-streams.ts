import type { Socket } from 'node:net';
import type { Address } from '../../../base/net/address.ts';
import type { Originator } from '../../channel/channel-source.ts';
import { LEAST_PACKET } from '../guard/limits.ts';
import {
  type Confirmation,
  FIRST_WINDOW,
  ForwardStream,
  type ForwardStreamDependencies,
  MOST_DATA,
} from './forward-stream.ts';
import { type Insides, MESSAGES, type Protocol } from './insides.ts';
import type { Holds } from './socket-reader.ts';
import type { Trace } from './trace.ts';

/** The answer to an open, like ssh2's: an error has the `reason` of the server, if the server answered. */
export type OnOpened = (error: Error | undefined, stream: ForwardStream | undefined) => void;

type MessageName = (typeof MESSAGES)[number];
type Message = (...args: never[]) => void;

/**
 * ssh2 keeps what it finds under the number of a channel. This reserves the number and looks like a channel that is
 * closed already, so that ssh2 leaves it alone at the end of the session.
 */
const RESERVED = { incoming: { state: 'closed' } };

const NOBODY: Holds = new Map();

/**
 * A channel of ours: asked for, or open. Cut from the rest at its end, because an old table of a Map keeps its entries: see
 * base/async/crowd.ts.
 */
interface Entry {
  onOpened: OnOpened | undefined;
  stream: ForwardStream | undefined;
}

const closedInstead = () => new Error('the server closed the channel instead of an answer');

/** Above this size, the packets of one piece are written to a client together, in bytes. */
const CORK_FROM = 48 * 1024;

/** The forwarded channels of one session that do not use ssh2's Channel. Messages for other channels go to ssh2. */
export class ForwardStreams {
  readonly #insides: Insides;
  readonly #line: ForwardStreamDependencies;
  readonly #entries = new Map<number, Entry>();
  readonly #corked = new Set<Socket>();
  /** The streams that got data of the current piece without a copy. */
  #given: ForwardStream[] = [];
  #memory: ArrayBufferLike | undefined;
  #corking = false;
  #data = 0;
  #handled = 0;

  constructor(insides: Insides, deps: Omit<ForwardStreamDependencies, 'protocol'>) {
    this.#insides = insides;
    this.#line = { ...deps, protocol: insides.protocol };
    const { _handlers: handlers } = insides.protocol;
    for (const name of MESSAGES) {
      const ssh2 = handlers[name] as unknown as (protocol: Protocol, ...args: unknown[]) => void;
      const own = this.#handler(name) as (...args: unknown[]) => boolean;
      // ssh2 gives each of these messages four arguments at most. An array for each message would be garbage.
      handlers[name] = (protocol: Protocol, first: unknown, second: unknown, third: unknown, fourth: unknown) => {
        if (!own(first, second, third, fourth)) ssh2(protocol, first, second, third, fourth);
      };
    }
  }

  /** Asks the server for a channel (RFC 4254 section 7.2; OpenSSH PROTOCOL section 2.4). Throws when the session cannot send. */
  open(target: Address, originator: Originator, onOpened: OnOpened): void {
    const { protocol, numbers } = this.#insides;
    const number = numbers.add(RESERVED);
    if (number < 0) throw new Error('no free channel number');
    this.#entries.set(number, { onOpened, stream: undefined });
    if (target.kind === 'unix') {
      protocol.openssh_directStreamLocal(number, FIRST_WINDOW, MOST_DATA, { socketPath: target.path });
    } else {
      const { address: srcIP, port: srcPort } = originator;
      const to = { srcIP, srcPort, dstIP: target.host, dstPort: target.port };
      protocol.directTcpip(number, FIRST_WINDOW, MOST_DATA, to);
    }
  }

  /** A piece of packets begins. */
  begin(piece: Buffer): void {
    this.#memory = piece.buffer;
    this.#corking = piece.length >= CORK_FROM;
    this.#data = 0;
    this.#handled = 0;
  }

  /**
   * The piece of `packets` packets is over: how many of them had data, and who refers to the bytes of the piece. `holds` is
   * undefined when anybody may.
   */
  finish(packets: number | undefined): { readonly data: number; readonly holds: Holds | undefined } {
    if (this.#corked.size > 0) {
      for (const sink of this.#corked) sink.uncork();
      this.#corked.clear();
    }
    const holds = this.#handled === packets ? this.#holds() : undefined;
    if (this.#given.length > 0) this.#given = [];
    return { data: this.#data, holds };
  }

  /** The session is gone. */
  lose(): void {
    const entries = [...this.#entries.values()];
    this.#entries.clear();
    for (const { stream } of entries) stream?.lost();
    for (const { onOpened } of entries) onOpened?.(new Error('the session ended before the answer'), undefined);
  }

  /** Handles a message of one of our channels; returns false for a channel of ssh2. */
  #handler(name: MessageName): Message {
    const of =
      <First, Second>(use: (stream: ForwardStream, first: First, second: Second) => void) =>
      (number: number, first: First, second: Second) => {
        const entry = this.#entries.get(number);
        const stream = entry?.stream;
        if (!stream) return entry !== undefined;
        this.#handled++;
        use(stream, first, second);
        return true;
      };
    switch (name) {
      case 'CHANNEL_OPEN_CONFIRMATION':
        return (info: Confirmation & { recipient: number }) => this.#confirmed(info);
      case 'CHANNEL_OPEN_FAILURE':
        return (number: number, reason: number, description: string) =>
          this.#failed(number, () => Object.assign(new Error(description), { reason }));
      case 'CHANNEL_WINDOW_ADJUST':
        return of((stream, bytes: number) => stream.allowed(bytes));
      case 'CHANNEL_DATA':
        return of((stream, data: Buffer) => this.#received(stream, data));
      case 'CHANNEL_EXTENDED_DATA':
        return of((stream, data: Buffer) => stream.discarded(data.length));
      case 'CHANNEL_EOF':
        return of((stream) => stream.peerEnds());
      case 'CHANNEL_CLOSE':
        return (number: number) => {
          const stream = this.#entries.get(number)?.stream;
          if (!stream) return this.#failed(number, closedInstead);
          this.#handled++;
          stream.peerClosed();
          return true;
        };
      case 'CHANNEL_REQUEST':
        return of((stream, _type: string, wantsReply: boolean) => {
          if (wantsReply) stream.refuse();
        });
    }
  }

  #confirmed(info: Confirmation & { readonly recipient: number }): boolean {
    const { recipient: number } = info;
    const entry = this.#entries.get(number);
    const onOpened = entry?.onOpened;
    if (!onOpened) return entry !== undefined;
    if (info.packetSize < LEAST_PACKET) throw new Error(`the server limits packets to ${info.packetSize} bytes`);
    this.#handled++;
    const stream = new ForwardStream(info, this.#line, () => this.#remove(number, entry));
    entry.onOpened = undefined;
    entry.stream = stream;
    onOpened(undefined, stream);
    return true;
  }

  #failed(number: number, error: () => Error): boolean {
    const entry = this.#entries.get(number);
    const onOpened = entry?.onOpened;
    if (!onOpened) return false;
    this.#handled++;
    this.#remove(number, entry);
    onOpened(error(), undefined);
    return true;
  }

  #remove(number: number, entry: Entry): void {
    entry.onOpened = entry.stream = undefined;
    this.#entries.delete(number);
    this.#insides.numbers.remove(number);
  }

  #received(stream: ForwardStream, data: Buffer): void {
    this.#data++;
    const { sink } = stream.trace;
    if (sink && this.#corking && !this.#corked.has(sink)) {
      this.#corked.add(sink);
      sink.cork();
    }
    stream.received(data);
    if (data.buffer === this.#memory && this.#given.at(-1) !== stream) this.#given.push(stream);
  }

  #holds(): Holds | undefined {
    let holds: Map<Trace, number> | undefined;
    for (const { trace } of this.#given) {
      if (!trace.traceable) return undefined;
      if (trace.released >= trace.pushed) continue;
      holds ??= new Map();
      holds.set(trace, trace.pushed);
    }
    return holds ?? NOBODY;
  }
}
