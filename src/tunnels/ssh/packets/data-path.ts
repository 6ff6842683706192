import type { Duplex } from 'node:stream';
import type { Client } from 'ssh2';
import type { Address } from '../../../base/net/address.ts';
import type { Originator } from '../../channel/channel-source.ts';
import type { Backlog } from '../backlog.ts';
import { ForwardStreams, type OnOpened } from './forward-streams.ts';
import { findInsides, type Insides, inPlaceFormat, PacketCount, wholePackets } from './insides.ts';
import { IGNORE_BYTES, ignorePayload, Nudge } from './nudge.ts';
import { Outlet } from './outlet.ts';
import { fillPadding } from './padding.ts';
import { type Holds, readerOf } from './socket-reader.ts';

export interface DataPathDependencies {
  readonly backlog: Backlog;
  /** The shortest round trip of the session, in milliseconds. */
  shortestRttMs(): number;
}

/** Set to `plain` to use ssh2's own channels and packets: for tests, and to find out whether the data path is the cause. */
const SWITCH = 'FLEET_MESH_DATA_PATH';

/**
 * The way of the forwarded data between the sockets and ssh2's ciphers: fewer system calls, copies and objects than
 * ssh2's own way. Undefined when this version of ssh2 has other insides; the session then works without.
 */
export class DataPath {
  readonly #insides: Insides;
  readonly #transport: Duplex;
  readonly #outlet: Outlet;
  readonly #streams: ForwardStreams;

  static attach(client: Client, transport: Duplex, deps: DataPathDependencies): DataPath | undefined {
    if (process.env[SWITCH] === 'plain') return undefined;
    const insides = findInsides(client);
    if (!insides) return undefined;
    const path = new DataPath(insides, transport, deps);
    // ssh2 has made another writer.
    client.on('handshake', () => path.#placePackets());
    return path;
  }

  private constructor(insides: Insides, transport: Duplex, { backlog, shortestRttMs }: DataPathDependencies) {
    this.#insides = insides;
    this.#transport = transport;
    this.#outlet = new Outlet(transport);
    this.#streams = new ForwardStreams(insides, { full: (relieved) => backlog.full(relieved), shortestRttMs });
    this.#placePackets();
    this.#followPieces(transport);
  }

  /** Asks for a channel to `target`. Throws when the session cannot send. */
  open(target: Address, originator: Originator, onOpened: OnOpened): void {
    if (!this.#transport.writable) throw new Error('the session is closed');
    this.#streams.open(target, originator, onOpened);
  }

  /** The session is gone: ends every stream. */
  lose(): void {
    this.#streams.lose();
  }

  /** Puts the packets of the usual ciphers side by side into the outlet's memory, where they are encrypted in place. */
  #placePackets(): void {
    const { protocol } = this.#insides;
    const writer = protocol._packetRW.write;
    const { alloc } = writer;
    writer.alloc = (payloadBytes, force) => {
      const format = inPlaceFormat(protocol._cipher);
      if (!format || (protocol._kexinit !== undefined && force !== true))
        return alloc.call(writer, payloadBytes, force);
      const unpadded = 5 + payloadBytes;
      let padding = format.block - ((unpadded - 4) % format.block);
      if (padding < 4) padding += format.block;
      const packet = this.#outlet.room(unpadded + padding + format.tag);
      packet.writeUInt32BE(unpadded + padding - 4, 0);
      packet[4] = padding;
      fillPadding(packet, unpadded, padding);
      return packet;
    };
  }

  #followPieces(transport: Duplex): void {
    const { protocol } = this.#insides;
    const outlet = this.#outlet;
    const streams = this.#streams;
    const reader = readerOf(transport);
    const nudge = reader && new Nudge({ sent: () => outlet.sent, send: () => this.#ignore() });
    const packets = new PacketCount(protocol);
    let sentBefore = outlet.sent;
    let holds: Holds | undefined;
    reader?.frame({
      split: (bytes, from, to) => {
        const end = wholePackets(protocol, bytes, from, to);
        holds = undefined;
        // The rest of a packet may wait for the acknowledgement of its start.
        if (end === from) nudge?.arrived(outlet.sent, true);
        return end;
      },
      holds: () => holds,
    });
    transport.prependListener('data', (piece: Buffer) => {
      sentBefore = outlet.sent;
      packets.begin();
      streams.begin(piece);
    });
    // After ssh2, which has handled all packets of the piece by now.
    transport.on('data', (piece: Buffer) => {
      const done = streams.finish(packets.end(piece.buffer));
      holds = done.holds;
      nudge?.arrived(sentBefore, done.data > 0);
    });
  }

  #ignore(): void {
    const { protocol } = this.#insides;
    // Only the messages of the exchange may be sent while keys are exchanged.
    if (protocol._kexinit !== undefined) return;
    const writer = protocol._packetRW.write;
    const packet = writer.alloc(IGNORE_BYTES);
    ignorePayload(packet, writer.allocStart);
    protocol._cipher.encrypt(writer.finalize(packet));
  }
}
