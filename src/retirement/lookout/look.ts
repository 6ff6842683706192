import type { Socket } from 'node:net';
import { withDeadline } from '../../base/async/deadline.ts';
import { onceAborted } from '../../base/async/follow.ts';
import { TunnelError } from '../../base/errors.ts';
import { dial } from '../../tunnels/ssh/dial.ts';
import { Resolver } from '../../tunnels/ssh/resolve.ts';
import { type Attempt, type Sighting, sightingOf } from './sighting.ts';

/** Timeout of each step (name, connection, banner), in milliseconds. */
const STEP_MS = 4_000;

/** Longer than all steps together: never reached. */
const LOOK_MS = 4 * STEP_MS;

/** Further addresses of a name are not tried; then silence proves nothing. */
const MOST_ADDRESSES = 8;

/** RFC 4253 section 4.2: 255 characters; lines may precede it. */
const MOST_GREETING_BYTES = 1_024;

/** Without a cache: an old address of a name proves nothing. */
const resolver = new Resolver(undefined, false);

interface Place {
  readonly address: string;
  readonly port: number;
}

/** Looks for the host: connects and reads its banner, sends nothing. Rejects only with the signal's reason. */
export function look(place: Place, signal: AbortSignal): Promise<Sighting> {
  // A separate signal, so that the steps do not add listeners to the daemon's signal.
  return withDeadline(
    LOOK_MS,
    signal,
    () => new Error('the look took too long'),
    (own) => lookOnce(place, own),
  );
}

async function lookOnce({ address, port }: Place, signal: AbortSignal): Promise<Sighting> {
  let addresses: readonly string[];
  try {
    addresses = await resolver.resolve(address, STEP_MS, signal);
  } catch (error) {
    signal.throwIfAborted();
    return sightingOf([{ error }]);
  }
  const attempts = await Promise.all(
    addresses.slice(0, MOST_ADDRESSES).map((host) => attempt({ host, port, timeoutMs: STEP_MS }, signal)),
  );
  signal.throwIfAborted();
  const untried = { error: new TunnelError('internal', `${address} has more than ${MOST_ADDRESSES} addresses`) };
  return sightingOf(addresses.length > MOST_ADDRESSES ? [...attempts, untried] : attempts);
}

async function attempt(options: Parameters<typeof dial>[0], signal: AbortSignal): Promise<Attempt> {
  let socket: Socket;
  try {
    socket = await dial(options, signal);
  } catch (error) {
    return { error };
  }
  try {
    return { banner: await banner(socket, signal) };
  } finally {
    socket.destroy();
  }
}

/** The SSH identification; undefined if the server sends something else, or nothing in time. */
async function banner(socket: Socket, signal: AbortSignal): Promise<string | undefined> {
  // The socket may fail at any time.
  socket.on('error', () => {});
  let greeting = '';
  try {
    await withDeadline(
      STEP_MS,
      signal,
      () => new Error('no banner in time'),
      (bounded) =>
        new Promise<void>((resolve) => {
          socket.on('data', (chunk: Buffer) => {
            greeting += chunk.toString('latin1');
            if (identification(greeting) !== undefined || greeting.length > MOST_GREETING_BYTES) resolve();
          });
          socket.once('end', resolve).once('close', resolve);
          onceAborted(bounded, () => resolve());
        }),
    );
  } catch {
    // The accepted connection is answer enough.
  }
  return identification(greeting);
}

function identification(greeting: string): string | undefined {
  return /^(SSH-[^\r\n]*)\r?\n/m.exec(greeting)?.[1];
}
