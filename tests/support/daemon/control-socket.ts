import { connect, type Socket } from 'node:net';
import { within } from '../wait-until.ts';

/** Sends raw bytes to a control socket, and returns the answer until the connection ends. */
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

/** A passive client that ignores a reset. */
export function dial(path: string): Socket {
  return connect({ path }).on('error', () => {});
}
