import { connect, type Socket } from 'node:net';
import { within } from '../wait-until.ts';

/** Sends bytes to a control socket as they are, and returns everything that comes back until it ends. */
export async function say(path: string, bytes: string | Buffer, options: { end?: boolean } = {}): Promise<string> {
  const socket = dial(path);
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  if (options.end === true) socket.end(bytes);
  else socket.write(bytes);
  await within('the control socket ends the conversation', closed, 10_000);
  return text;
}

/** A client that does nothing by itself, and minds no reset. */
export function dial(path: string): Socket {
  return connect({ path }).on('error', () => {});
}
