import type { Socket } from 'node:net';
import { sleep } from '../../base/async/sleep.ts';
import { ControlRefused } from '../../base/refusal.ts';
import type { ControlReply } from './protocol.ts';

/** The longest request line: far above a command with hundreds of names. */
const MAX_LINE_BYTES = 64 * 1024;

/** The most unread bytes of a client before progress lines are dropped. */
const MOST_UNREAD_BYTES = 16 * 1024;

export interface ConversationLimits {
  /** The time limit for reading the request, and for delivering the reply, in milliseconds. */
  readonly patienceMs: number;
  /** The interval of keepalives while a command runs, in milliseconds. */
  readonly beatMs: number;
}

/**
 * Serves one client: reads the request, sends keepalives, then the reply. A client that leaves does not stop its
 * command. A client that hangs is disconnected. Never rejects.
 */
export async function converse(
  socket: Socket,
  limits: ConversationLimits,
  answer: (line: string, tell: (progress: string) => void) => Promise<ControlReply>,
): Promise<void> {
  const gone = new AbortController();
  // Before anything else: a client may reset at any time.
  socket.on('error', () => {});
  socket.once('close', () => gone.abort());
  const reply = await readLine(socket, limits.patienceMs).then(
    async (line) => {
      const beating = beat(socket, limits.beatMs, gone.signal);
      const tell = (progress: string) => say(socket, `${JSON.stringify({ progress })}\n`, MOST_UNREAD_BYTES);
      return answer(line, tell).finally(beating.stop);
    },
    (error: unknown): ControlReply | undefined =>
      error instanceof ControlRefused ? { ok: false, error: error.report() } : undefined,
  );
  if (reply === undefined || socket.destroyed) {
    socket.destroy();
    return;
  }
  // Extra bytes are read and dropped: unread bytes would turn the close into a reset.
  socket.resume();
  socket.end(`${JSON.stringify(reply)}\n`);
  await sleep(limits.patienceMs, gone.signal).catch(() => {});
  socket.destroy();
}

function beat(socket: Socket, everyMs: number, gone: AbortSignal): { stop(): void } {
  const timer = setInterval(() => {
    if (!gone.aborted) say(socket, '\n', 0);
  }, everyMs);
  return { stop: () => clearInterval(timer) };
}

/** Skips the line if the client does not read: lines must not pile up. */
function say(socket: Socket, line: string, mostUnreadBytes: number): void {
  if (socket.writable && socket.writableLength <= mostUnreadBytes) socket.write(line);
}

/** Rejects with {@link ControlRefused}, or with undefined when the client left without a request. */
function readLine(socket: Socket, withinMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    let bytes = Buffer.alloc(0);
    const settle = () => {
      clearTimeout(timer);
      socket.off('data', onData).off('end', onEnd).off('close', onEnd);
    };
    const refuse = (error: ControlRefused | undefined) => {
      settle();
      reject(error);
    };
    const onData = (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      const end = bytes.indexOf('\n');
      if (end === -1 && bytes.length <= MAX_LINE_BYTES) return;
      if (end === -1 || end > MAX_LINE_BYTES) {
        refuse(
          new ControlRefused('too_large', `the request is longer than ${MAX_LINE_BYTES} bytes`, {
            hint: 'Name fewer tunnels at a time.',
          }),
        );
        return;
      }
      settle();
      resolve(bytes.toString('utf8', 0, end));
    };
    const onEnd = () => refuse(undefined);
    const timer = setTimeout(
      () =>
        refuse(
          new ControlRefused('request_timeout', `no complete request within ${withinMs} ms`, {
            hint: 'A request is one line of JSON that ends in a newline.',
          }),
        ),
      withinMs,
    );
    socket.on('data', onData).once('end', onEnd).once('close', onEnd);
  });
}
