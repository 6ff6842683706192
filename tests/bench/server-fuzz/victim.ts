import { setTimeout as pause } from 'node:timers/promises';
import { CATALOGUE, TunnelError } from '../../../src/base/errors.ts';
import { dial } from '../../../src/tunnels/ssh/dial.ts';
import { openSession } from '../../../src/tunnels/ssh/open-session.ts';
import type { Session } from '../../../src/tunnels/ssh/session.ts';
import type { UserAuth } from '../../../src/tunnels/ssh/user-auth.ts';
import { loopback, originator } from '../../support/clients/ssh-session.ts';

/** What a client met at one hostile server. */
export interface Outcome {
  /** `lived`: the session was still up at the end. */
  readonly code: string;
  /** What must not happen; undefined: nothing. */
  readonly wrong: string | undefined;
}

/** Bound of each step, in milliseconds. */
const STEP_MS = 1_000;
/** How long an attack may last. */
const ATTACK_MS = 300;
/** All steps of a login, and some more for a busy machine. */
const MOST_MS = 30_000;

const KEEPALIVE = { everyMs: 200, lostAfter: 3 };

/** A hostile server, and what a client needs for a login there. */
export interface HostileAddress {
  readonly port: number;
  readonly user: string;
  readonly authMethods: UserAuth;
  /** The blob of its only key. */
  readonly hostKey: Buffer;
}

/** Logs in, uses the session in each way that a tunnel does, and ends the session. */
export async function meet(server: HostileAddress, targetPort: number): Promise<Outcome> {
  const over = new AbortController();
  const late = setTimeout(() => over.abort(new Error(`not over within ${MOST_MS} ms`)), MOST_MS);
  const expired = new Promise<never>((_, reject) => {
    over.signal.addEventListener('abort', () => reject(over.signal.reason), { once: true });
  });
  expired.catch(() => {});
  try {
    return await Promise.race([use(server, targetPort, over.signal), expired]);
  } catch (error) {
    return judge(error);
  } finally {
    clearTimeout(late);
  }
}

async function use(server: HostileAddress, targetPort: number, signal: AbortSignal): Promise<Outcome> {
  const session = await login(server, signal);
  const wrong: unknown[] = [];
  const tried = Promise.all(
    [open(session, targetPort, signal), open(session, 1, signal), listen(session, signal)].map((each) =>
      each.catch((error: unknown) => void wrong.push(error)),
    ),
  );
  await Promise.race([session.closed, pause(ATTACK_MS)]);
  void session.end(100);
  const { error } = await session.closed;
  await tried;
  const worst = [...wrong, error].map((each) => (each === undefined ? undefined : judge(each)));
  return worst.find((each) => each?.wrong !== undefined) ?? worst.at(-1) ?? { code: 'lived', wrong: undefined };
}

async function login(
  { port, user: username, authMethods, hostKey }: HostileAddress,
  signal: AbortSignal,
): Promise<Session> {
  const socket = await dial({ host: '127.0.0.1', port, timeoutMs: STEP_MS }, signal);
  const verify = (blob: Buffer) =>
    blob.equals(hostKey) ? undefined : new TunnelError('host_key_changed', 'another key than the known one');
  return openSession(
    socket,
    {
      peer: 'hostile',
      username,
      offered: 'a key',
      authMethods,
      hostKey: { algorithms: ['ssh-ed25519'], verify },
      stepTimeoutMs: STEP_MS,
      keepalive: KEEPALIVE,
    },
    signal,
  );
}

async function open(session: Session, port: number, signal: AbortSignal): Promise<void> {
  const { stream, close } = await session.open(loopback(port), originator, signal);
  stream.on('error', () => {}).resume();
  for (let count = 0; count < 8; count++) stream.write(Buffer.alloc(20_000, 'x'));
  await Promise.race([session.closed, pause(ATTACK_MS / 2)]);
  // Half of the channels are closed while the other side still sends.
  if (port % 2 === 0) close();
}

async function listen(session: Session, signal: AbortSignal): Promise<void> {
  const listener = session.listener({ kind: 'tcp', host: '127.0.0.1', port: 7_000 }, (incoming) => {
    if (incoming.originator.port % 2 === 0) return incoming.reject();
    const { stream } = incoming.accept();
    stream.on('error', () => {}).resume();
    stream.end('hello');
  });
  try {
    await listener.bind(signal);
    await Promise.race([session.closed, pause(ATTACK_MS / 2)]);
    await listener.cancel();
  } finally {
    listener.release();
  }
}

/** Whether an error is one that a user may see: a code of the catalogue, and one readable line. */
function judge(error: unknown): Outcome {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  if (!(error instanceof TunnelError)) return { code: 'no code', wrong: text };
  const { code, message, hint } = error;
  const known = code in CATALOGUE && code !== 'internal';
  const plain = message.length < 600 && /^[\P{Cc}]*$/u.test(message + hint) && message.trim() !== '';
  return { code, wrong: known && plain ? undefined : text };
}
