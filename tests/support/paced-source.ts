import { type Cipher, createCipheriv, createHash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { type LoopbackServer, listenLoopback } from './loopback.ts';

export interface PacedSource extends LoopbackServer {
  /** Ends every stream at its next chunk. */
  finish(): void;
  /** What the first connection was sent, once its stream has ended. */
  readonly sent: Promise<{ readonly bytes: number; readonly sha256: string }>;
}

/** Sends bytes that nothing imitates to every client, a chunk every so often, until told to finish: a stream to cut. */
export async function startPacedSource(chunkBytes = 16_384, everyMs = 20): Promise<PacedSource> {
  let finished = false;
  let settle: (sent: { bytes: number; sha256: string }) => void = () => {};
  const sent = new Promise<{ bytes: number; sha256: string }>((resolve) => {
    settle = resolve;
  });
  const server = await listenLoopback(async (socket) => {
    socket.resume();
    const cipher = keyStream();
    const zeros = Buffer.alloc(chunkBytes);
    const hash = createHash('sha256');
    let bytes = 0;
    while (!finished && !socket.destroyed) {
      const chunk = cipher.update(zeros);
      hash.update(chunk);
      bytes += chunk.length;
      if (!socket.write(chunk) && !socket.destroyed) await drained(socket);
      await pause(everyMs);
    }
    socket.end();
    settle({ bytes, sha256: hash.digest('hex') });
  });
  return {
    ...server,
    finish: () => {
      finished = true;
    },
    sent,
  };
}

/** SHA-256 of the first so many bytes of any such stream: what a client must have that got no further. */
export function pacedPrefixDigest(bytes: number): string {
  return createHash('sha256')
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
