import { type LoopbackServer, listenLoopback } from './loopback.ts';

/** Sends all received bytes back; answers the end of stream with its own. */
export function startEcho(at: number | { readonly path: string } = 0): Promise<LoopbackServer> {
  return listenLoopback((socket) => socket.pipe(socket), typeof at === 'number' ? { port: at } : at);
}

/** Speaks first, as SSH, SMTP or MySQL do, then ignores its client until that one ends. */
export function startBanner(text = 'SSH-2.0-stand-in\r\n'): Promise<LoopbackServer> {
  return listenLoopback((socket) => {
    socket.write(text);
    socket.resume().once('end', () => socket.end());
  });
}

/**
 * Ends its own direction at once (after `first`), goes on reading to the end of the client's, and hands that over: the
 * half-closed connection that naive relays cut short.
 */
export async function startHalfCloser(first = ''): Promise<LoopbackServer & { received(): Promise<string> }> {
  const { promise, resolve } = deferred<string>();
  const server = await listenLoopback((socket) => {
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    // Not of a connection that says nothing: on a busy machine the daemon opens a second one, and closes it unused.
    socket.once('end', () => chunks.length > 0 && resolve(Buffer.concat(chunks).toString()));
    socket.end(first);
  });
  return { ...server, received: () => promise };
}

/** Reads to the end of stream and only then answers: the client that half-closes must still get `answer(what it sent)`. */
export function startAnswerAfterEnd(answer: (received: string) => string): Promise<LoopbackServer> {
  return listenLoopback((socket) => {
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.once('end', () => socket.end(answer(Buffer.concat(chunks).toString())));
  });
}

/** Accepts, and then neither reads nor writes nor closes. */
export function startSilent(): Promise<LoopbackServer> {
  return listenLoopback((socket) => socket.pause());
}

/** Writes `text` and then resets (RST) instead of ending. */
export function startResetter(text = ''): Promise<LoopbackServer> {
  return listenLoopback((socket) => {
    socket.write(text, () => socket.resetAndDestroy());
  });
}

function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let settle: ((value: T) => void) | undefined;
  const promise = new Promise<T>((resolve) => {
    settle = resolve;
  });
  return { promise, resolve: (value) => settle?.(value) };
}
