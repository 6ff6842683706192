import type { Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { Dice } from './dice.ts';

const BANNER = 'SSH-2.0-OpenSSH_9.2\r\n';

/** The first packet as RFC 4253 section 6 wants it, but for its lengths. */
function packet(length: number, padding: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(5);
  header.writeUInt32BE(length);
  header[4] = padding;
  return Buffer.concat([header, payload]);
}

async function drip(socket: Socket, bytes: Buffer, everyMs: number): Promise<void> {
  for (let at = 0; at < bytes.length && socket.writable; at++) {
    socket.write(bytes.subarray(at, at + 1));
    await pause(everyMs);
  }
}

/** Settles when the socket takes more, or is closed. */
export function writable(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const settle = () => {
      socket.off('drain', settle).off('close', settle);
      resolve();
    };
    socket.once('drain', settle).once('close', settle);
  });
}

async function endless(socket: Socket, piece: () => Buffer): Promise<void> {
  while (socket.writable) {
    if (socket.write(piece())) await pause(0);
    else await writable(socket);
  }
}

/** What a server without any SSH may say to a client. */
export const GREETINGS: Readonly<Record<string, (socket: Socket, dice: Dice) => unknown>> = {
  'random bytes': (socket, dice) => socket.write(dice.bytes(1 + dice.below(3_000))),
  'another protocol': (socket, dice) =>
    socket.end(dice.pick(['HTTP/1.1 400 Bad Request\r\n\r\n', '220 mail ESMTP\r\n', '\x16\x03\x01\x02', '\r\n'])),
  'another version': (socket, dice) =>
    socket.write(`SSH-${dice.pick(['1.5', '1.99', '3.0', '', '2.0.0', '-'])}-${dice.text().toString('latin1')}\r\n`),
  'a version with any bytes': (socket, dice) =>
    socket.write(Buffer.concat([Buffer.from('SSH-2.0-'), dice.text(), Buffer.from('\r\n')])),
  'a banner without an end': (socket) => socket.write('SSH-2.0-OpenSSH_9.2'),
  'a banner that drips': (socket, dice) => drip(socket, Buffer.from(BANNER), 1 + dice.below(8)),
  'a huge line': (socket, dice) => endless(socket, () => Buffer.alloc(1 + dice.below(60_000), 'x')),
  'lines without end': (socket, dice) => endless(socket, () => Buffer.from(`${'x'.repeat(dice.below(300))}\r\n`)),
  'bytes without end after the banner': (socket, dice) => {
    socket.write(BANNER);
    return endless(socket, () => dice.bytes(500));
  },
  'a packet that lies about its length': (socket, dice) => {
    socket.write(BANNER);
    socket.write(packet(dice.uint32(), dice.below(256), Buffer.concat([Buffer.of(20), dice.bytes(400)])));
  },
  'a long packet without end': (socket, dice) => {
    socket.write(BANNER);
    socket.write(packet(34_996, dice.below(20), Buffer.of(20)));
    return drip(socket, dice.bytes(1_000), 2);
  },
  'an end at once': (socket) => socket.end(),
  'an end after the banner': (socket) => socket.end(BANNER),
  'a reset after the banner': (socket) => socket.write(BANNER, () => socket.resetAndDestroy()),
  nothing: () => {},
};
