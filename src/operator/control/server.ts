import { createServer, type Server, type Socket } from 'node:net';
import { TunnelError } from '../../base/errors.ts';
import { LONGEST_SOCKET_PATH } from '../../base/net/address.ts';
import { listenError } from '../../base/net/listen-error.ts';
import { listenUnix } from '../../base/net/unix-listener.ts';
import { ControlRefused } from '../../base/refusal.ts';
import { type ConversationLimits, converse } from './conversation.ts';
import type { ControlReply } from './protocol.ts';
import { prepareDirectory } from './socket-directory.ts';

/** The daemon's group may connect as well: the permission of the file is the authentication. */
const OWNER = { who: 'the control socket', mode: 0o660 };

/** The most connections without a running command. Above this number, the oldest makes room for a new one. */
const MOST_WAITING = 32;
/** The most commands that run at the same time: enough for a few operators and scripts. */
const MOST_COMMANDS = 32;

const LIMITS: ConversationLimits = { patienceMs: 5_000, beatMs: 2_000 };

export interface ControlServerDependencies {
  /** Carries out one request line; never rejects. */
  answer(line: string, tell: (progress: string) => void): Promise<ControlReply>;
  /** An accept failed; the server continues. */
  onError(error: Error): void;
  readonly limits?: ConversationLimits;
}

/** The unix socket for commands to the daemon. */
export interface ControlServer {
  /** Frees the path at once. Running commands still get their reply. */
  close(): void;
  /** Disconnects all remaining clients. Written replies are still delivered. */
  dropAll(): void;
}

/**
 * Listens at `path`, mode 0660. Rejects with `listen_in_use` when another process (usually another daemon) owns the
 * path, with `internal` for other system errors.
 */
export async function startControlServer(path: string, deps: ControlServerDependencies): Promise<ControlServer> {
  refuseLongPath(path);
  await prepareDirectory(path);
  const clients = new Set<Socket>();
  /** Those without a running command, the oldest first. */
  const waiting = new Set<Socket>();
  let running = 0;
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    makeRoom(waiting);
    clients.add(socket);
    waiting.add(socket);
    socket.once('close', () => {
      clients.delete(socket);
      waiting.delete(socket);
    });
    void converse(socket, deps.limits ?? LIMITS, async (line, tell) => {
      if (running >= MOST_COMMANDS) return tooMany();
      running++;
      waiting.delete(socket);
      return deps.answer(line, tell).finally(() => {
        running--;
        if (!socket.destroyed) waiting.add(socket);
      });
    });
  });
  const close = await bind(server, path);
  server.on('error', deps.onError);
  return {
    close,
    dropAll: () => {
      for (const socket of clients) socket.destroySoon();
    },
  };
}

/**
 * Drops the oldest connection without a running command: its client sends nothing, or does not read the reply. The
 * command line sends its request at once. Node cannot tell the process at the other end (SO_PEERCRED), so there is no
 * bound for each process.
 */
function makeRoom(waiting: Set<Socket>): void {
  const [oldest] = waiting;
  if (oldest === undefined || waiting.size < MOST_WAITING) return;
  waiting.delete(oldest);
  oldest.destroy();
}

function tooMany(): ControlReply {
  const refused = new ControlRefused('not_ready', `${MOST_COMMANDS} commands are running already`, {
    hint: 'Wait until one of them has ended, then try again.',
  });
  return { ok: false, error: refused.report() };
}

/** A longer path can be bound here, but no client could connect. The default path lies in a directory of any length. */
function refuseLongPath(path: string): void {
  const length = Buffer.byteLength(path);
  if (length <= LONGEST_SOCKET_PATH) return;
  const message = `the control socket cannot be at ${path}: the path has ${length} bytes, and ${LONGEST_SOCKET_PATH} are possible`;
  throw new TunnelError('internal', message, { hint: 'Set control.socket to a shorter path.' });
}

async function bind(server: Server, path: string): Promise<() => void> {
  try {
    return await listenUnix(server, path, OWNER);
  } catch (error) {
    if (error instanceof TunnelError) throw error;
    throw listenError({ kind: 'unix', path }, OWNER.who, 'control.socket', error);
  }
}
