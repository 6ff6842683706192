import type { Socket } from 'node:net';
import type { Connection } from 'ssh2';

/** The packets of one connection of the embedded sshd, as bytes: for messages that no honest server sends. */
export interface RawPeer {
  readonly socket: Socket;
  /** Sends one message; false when the socket is full. */
  send(message: Buffer): boolean;
  /** Sends the messages one after the other for as long as the client lives, as fast as the client reads. */
  flood(message: () => Buffer): void;
  /** Reads nothing any more. */
  stopReading(): void;
  /** Starts a key exchange, and calls back at its end. */
  rekey(done: () => void): void;
}

interface Insides {
  readonly _sock: Socket;
  readonly _protocol: {
    readonly _cipher: { encrypt(packet: Buffer): void };
    readonly _packetRW: {
      readonly write: {
        readonly allocStartKEX: number;
        alloc(bytes: number, force: true): Buffer;
        finalize(packet: Buffer, force: true): Buffer;
      };
    };
  };
}

/** Messages in one turn of the event loop. */
const PER_TURN = 200;

export function rawPeer(connection: Connection): RawPeer {
  const { _sock: socket, _protocol: protocol } = connection as unknown as Insides;
  const send = (message: Buffer) => {
    const { write } = protocol._packetRW;
    // At once, also during an exchange of keys.
    const packet = write.alloc(message.length, true);
    packet.set(message, write.allocStartKEX);
    protocol._cipher.encrypt(write.finalize(packet, true));
    return !socket.writableNeedDrain;
  };
  return {
    socket,
    send,
    flood: (message) => {
      const turn = () => {
        if (socket.destroyed || !socket.writable) return;
        let more = true;
        for (let count = 0; more && count < PER_TURN; count++) more = send(message());
        if (more) setImmediate(turn);
        else socket.once('drain', turn);
      };
      turn();
    },
    stopReading: () => socket.pause(),
    rekey: (done) => void connection.rekey(done),
  };
}

/** A message: its number, then bytes, numbers (uint32) and texts (string) in the format of RFC 4251 section 5. */
export function message(type: number, ...fields: readonly (Buffer | number | string | boolean)[]): Buffer {
  return Buffer.concat([Buffer.of(type), ...fields.map(encode)]);
}

function encode(field: Buffer | number | string | boolean): Buffer {
  if (Buffer.isBuffer(field)) return field;
  if (typeof field === 'boolean') return Buffer.of(Number(field));
  const number = Buffer.alloc(4);
  if (typeof field === 'number') {
    number.writeUInt32BE(field);
    return number;
  }
  number.writeUInt32BE(Buffer.byteLength(field));
  return Buffer.concat([number, Buffer.from(field)]);
}
