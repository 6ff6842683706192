import { type Cipher, createCipheriv, createHash } from 'node:crypto';
import type { Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { type LoopbackServer, listenLoopback } from './loopback.ts';

export interface PacedSource extends LoopbackServer {
  /** Ends every stream at its next chunk. */
  finish(): void;
  /** The bytes of the stream that `finish()` ended. A connection that somebody cut does not count: a hedged open leaves one. */
  readonly sent: Promise<{ readonly bytes: number; readonly sha256: string }>;
}

const CHUNK_BYTES = 16_384;
const EVERY_MS = 20;

/** Sends unmistakable bytes to every client in paced chunks until `finish()`: a stream to cut. */
export async function startPacedSource(at: { readonly path?: string } = {}): Promise<PacedSource> {
  let finished = false;
  let settle: (sent: { bytes: number; sha256: string }) => void = () => {};
  const sent = new Promise<{ bytes: number; sha256: string }>((resolve) => {
    settle = resolve;
  });
  const serve = async (socket: Socket) => {
    socket.resume();
    const cipher = keyStream();
    const zeros = Buffer.alloc(CHUNK_BYTES);
    const hash = createHash('sha256');
    let bytes = 0;
    while (!finished && !socket.destroyed) {
      const chunk = cipher.update(zeros);
      hash.update(chunk);
      bytes += chunk.length;
      if (!socket.write(chunk) && !socket.destroyed) await drained(socket);
      await pause(EVERY_MS);
    }
    if (socket.destroyed) return;
    socket.end();
    settle({ bytes, sha256: hash.digest('hex') });
  };
  const server = await listenLoopback((socket) => void serve(socket), at);
  return {
    ...server,
    finish: () => {
      finished = true;
    },
    sent,
  };
}

/** SHA-256 of the first bytes of such a stream after a preface: the expected digest of a cut stream. */
export function pacedPrefixDigest(bytes: number, preface: Buffer = Buffer.alloc(0)): string {
  return createHash('sha256')
    .update(preface)
    .update(keyStream().update(Buffer.alloc(bytes)))
    .digest('hex');
}

function keyStream(): Cipher {
  return createCipheriv('aes-128-ctr', Buffer.alloc(16, 7), Buffer.alloc(16));
}

function drained(socket: NodeJS.EventEmitter): Promise<void> {
  return new Promise((resolve) => {
    socket.once('drain', resolve).once('close', resolve);
  });
}
