import { connect } from 'node:net';
import type { z } from 'zod';
import { sleep } from '../../base/async/sleep.ts';
import { errnoOf } from '../../base/errors.ts';
import { LONGEST_SOCKET_PATH } from '../../base/net/address.ts';
import type { Refusal } from '../../base/refusal.ts';
import { printable } from '../../base/text/printable.ts';
import { type ControlRequest, progress, reply } from './protocol.ts';

/** No usable reply came. The message is one sentence. */
export class ControlUnavailable extends Error {
  override readonly name = 'ControlUnavailable';
}

/** The daemon refused the command. */
export class CommandRefused extends Error {
  override readonly name = 'CommandRefused';
  readonly refusal: Refusal;

  constructor(refusal: Refusal) {
    super(refusal.message);
    this.refusal = refusal;
  }
}

/** The longest silence of a working daemon, in milliseconds: keepalives arrive more often, however long a command takes. */
const SILENCE_MS = 10_000;
/** Far above hundreds of configuration problems (tens of kilobytes). */
const MAX_BYTES = 4 * 1024 * 1024;
const NEWLINE = 0x0a;
/** The pause before the next attempt while the queue of the socket is full, in milliseconds. */
const QUEUE_PAUSE_MS = 50;

/**
 * Sends a command to the daemon at `path`. Rejects with {@link ControlUnavailable} or {@link CommandRefused}, or with
 * the signal's reason. After an abort, the daemon still finishes the command.
 */
export async function command<Result>(
  path: string,
  request: ControlRequest,
  result: z.ZodType<Result>,
  signal: AbortSignal,
  silenceMs = SILENCE_MS,
  onProgress: (line: string) => void = () => {},
): Promise<Result> {
  // Node would connect to the beginning of the path.
  if (Buffer.byteLength(path) > LONGEST_SOCKET_PATH)
    throw new ControlUnavailable(`${path} is too long for a socket: set control.socket to a shorter path`);
  const text = await inQueue(silenceMs, signal, () =>
    exchange(path, `${JSON.stringify(request)}\n`, signal, silenceMs, onProgress),
  );
  const foreign = (cause: unknown) =>
    new ControlUnavailable(`unexpected reply from ${path}: is the daemon another version of fleet-mesh?`, { cause });
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch (error) {
    throw text.trim() === ''
      ? new ControlUnavailable(`the daemon at ${path} closed the connection without a reply`)
      : foreign(error);
  }
  const parsed = reply.safeParse(data);
  if (!parsed.success) throw foreign(parsed.error);
  if (!parsed.data.ok) throw new CommandRefused(parsed.data.error);
  const outcome = result.safeParse(parsed.data.result);
  if (!outcome.success) throw foreign(outcome.error);
  return outcome.data;
}

/**
 * Tries again while the queue of the listening socket is full. The kernel then refuses a connection at once (unix(7),
 * EAGAIN), although the daemon is well: many other clients have just connected.
 */
async function inQueue<Result>(
  patienceMs: number,
  signal: AbortSignal,
  attempt: () => Promise<Result>,
): Promise<Result> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      const isFull = error instanceof ControlUnavailable && errnoOf(error.cause) === 'EAGAIN';
      if (!isFull || performance.now() >= deadline) throw error;
      await sleep(QUEUE_PAUSE_MS, signal);
    }
  }
}

/** Settles with the reply. Progress lines go to `onProgress` as they arrive. */
function exchange(
  path: string,
  line: string,
  signal: AbortSignal,
  silenceMs: number,
  onProgress: (line: string) => void,
): Promise<string> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    let unread = Buffer.alloc(0);
    let text = '';
    let size = 0;
    const socket = connect({ path });
    const onAbort = () => give(signal.reason);
    const give = (error: unknown) => {
      signal.removeEventListener('abort', onAbort);
      socket.destroy();
      reject(error);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    socket.setTimeout(silenceMs, () =>
      give(new ControlUnavailable(`the daemon at ${path} did not respond for ${silenceMs / 1_000} s`)),
    );
    socket.on('error', (error: NodeJS.ErrnoException) => give(explain(path, error)));
    socket.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > MAX_BYTES) return give(new ControlUnavailable(`the reply from ${path} is too long`));
      unread = Buffer.concat([unread, chunk]);
      for (let end = unread.indexOf(NEWLINE); end !== -1; end = unread.indexOf(NEWLINE)) {
        const whole = unread.toString('utf8', 0, end);
        unread = unread.subarray(end + 1);
        const step = progressIn(whole);
        if (step === undefined) text += `${whole}\n`;
        else onProgress(step);
      }
    });
    socket.once('end', () => {
      signal.removeEventListener('abort', onAbort);
      socket.destroy();
      resolve(text + unread.toString('utf8'));
    });
    socket.write(line);
  });
}

function progressIn(line: string): string | undefined {
  if (!line.startsWith('{"progress"')) return undefined;
  try {
    return progress.safeParse(JSON.parse(line)).data?.progress;
  } catch {
    return undefined;
  }
}

function explain(path: string, error: NodeJS.ErrnoException): ControlUnavailable {
  const cause = { cause: error };
  switch (error.code) {
    case 'ENOENT':
      return new ControlUnavailable(
        `no control socket at ${path}: the daemon is not running, or has no socket there`,
        cause,
      );
    case 'ECONNREFUSED':
      return new ControlUnavailable(`connection to ${path} refused: the daemon has stopped`, cause);
    case 'EACCES':
    case 'EPERM':
      return new ControlUnavailable(
        `permission denied for ${path}: run as the daemon's user, or join its group`,
        cause,
      );
    case 'EAGAIN':
      return new ControlUnavailable(`${path} has a full queue: too many clients connect at the same time`, cause);
    default:
      return new ControlUnavailable(`${path} is unreachable: ${printable(error.message)}`, cause);
  }
}
