import { once } from 'node:events';
import { connect } from 'node:net';
import { within } from '../wait-until.ts';

/** One long-lived connection to an echo. */
export interface Chatter extends AsyncDisposable {
  /** Sends the text and waits for its echo on the same connection. */
  say(text: string): Promise<void>;
  /** Ends it properly, both directions. */
  end(): Promise<void>;
}

export async function openChatter(port: number): Promise<Chatter> {
  const socket = connect({ host: '127.0.0.1', port });
  let failure: Error | undefined;
  socket.on('error', (error) => {
    failure = error;
  });
  let unread = '';
  let look = () => {};
  socket.on('data', (chunk: Buffer) => {
    unread += chunk.toString();
    look();
  });
  socket.on('close', () => look());
  const say = (text: string) => {
    const echoed = new Promise<void>((resolve, reject) => {
      look = () => {
        if (unread.startsWith(text)) {
          unread = unread.slice(text.length);
          resolve();
        } else if (socket.closed) {
          reject(new Error('the connection was cut', { cause: failure }));
        }
      };
      look();
    });
    socket.write(text);
    return within(`the echo of "${text}"`, echoed);
  };
  await say('hello');
  return {
    say,
    end: async () => {
      const closed = once(socket, 'close');
      socket.end();
      await within('the connection closes', closed);
    },
    [Symbol.asyncDispose]: async () => {
      socket.destroy();
    },
  };
}

/** The first bytes of a server that speaks first; then the connection is closed. */
export async function greetingOf(port: number): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port });
  const [chunk] = (await within('a greeting', once(socket, 'data'))) as [Buffer];
  socket.destroy();
  return chunk.toString();
}
