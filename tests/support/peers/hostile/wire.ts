import type { Socket } from 'node:net';
import type { Connection } from 'ssh2';

/** Replaces one piece of output by any number of pieces. */
type Warp = (piece: Buffer) => readonly Buffer[];

interface Cipher {
  allocPacket(payloadBytes: number): Buffer;
  encrypt(packet: Buffer): void;
}

/** Before the payload of a packet: its length and that of the padding (RFC 4253 section 6). */
const HEADER_BYTES = 5;

/** Everything that a server of ssh2 sends, seen twice: as messages before the cipher, and as bytes on the wire. */
export class Wire {
  onMessage: Warp | undefined;
  onBytes: Warp | undefined;
  readonly #socket: Socket;
  readonly #protocol: { _cipher: Cipher };

  /** Call this before the server has sent anything but its banner. */
  constructor(connection: Connection, socket: Socket) {
    this.#socket = socket;
    this.#protocol = (connection as unknown as { _protocol: { _cipher: Cipher } })._protocol;
    this.#warpCiphers();
    const write = socket.write.bind(socket);
    socket.write = (piece: Buffer | string) => {
      const pieces = this.onBytes?.(Buffer.from(piece)) ?? [piece];
      return pieces.map((each) => write(each)).every(Boolean);
    };
  }

  /** Sends a message as it is; false when the socket is full. */
  send(payload: Buffer): boolean {
    const { onMessage } = this;
    this.onMessage = undefined;
    this.#encrypt(this.#protocol._cipher, payload);
    this.onMessage = onMessage;
    return !this.#socket.writableNeedDrain;
  }

  #encrypt(cipher: Cipher, payload: Buffer): void {
    const packet = cipher.allocPacket(payload.length);
    packet.set(payload, HEADER_BYTES);
    cipher.encrypt(packet);
  }

  /** ssh2 has a new cipher after each exchange of keys. */
  #warpCiphers(): void {
    const warped = (cipher: Cipher): Cipher => {
      const encrypt = cipher.encrypt.bind(cipher);
      let plain = false;
      cipher.encrypt = (packet) => {
        if (plain || !this.onMessage) return encrypt(packet);
        const payload = packet.subarray(HEADER_BYTES, packet.length - (packet[4] ?? 0));
        plain = true;
        for (const each of this.onMessage(payload)) this.#encrypt(cipher, each);
        plain = false;
      };
      return cipher;
    };
    let current = warped(this.#protocol._cipher);
    Object.defineProperty(this.#protocol, '_cipher', {
      get: () => current,
      set: (next: Cipher) => {
        current = warped(next);
      },
    });
  }
}
