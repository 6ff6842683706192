import { createServer, type Server, type Socket } from 'node:net';
import { TunnelError } from '../../base/errors.ts';
import { listenError } from '../../base/net/listen-error.ts';
import { listenUnix } from '../../base/net/unix-listener.ts';
import { type ConversationLimits, converse } from './conversation.ts';
import type { ControlReply } from './protocol.ts';
import { prepareDirectory } from './socket-directory.ts';

/** The daemon's group may connect as well: the permission of the file is the authentication. */
const OWNER = { who: 'the control socket', mode: 0o660 };

/** Enough for a few operators and scripts. Further connections are closed. */
const MOST_CONNECTIONS = 32;

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
  await prepareDirectory(path);
  const clients = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    clients.add(socket);
    socket.once('close', () => clients.delete(socket));
    void converse(socket, deps.limits ?? LIMITS, deps.answer);
  });
  server.maxConnections = MOST_CONNECTIONS;
  const close = await bind(server, path);
  server.on('error', deps.onError);
  return {
    close,
    dropAll: () => {
      for (const socket of clients) socket.destroySoon();
    },
  };
}

async function bind(server: Server, path: string): Promise<() => void> {
  try {
    return await listenUnix(server, path, OWNER);
  } catch (error) {
    if (error instanceof TunnelError) throw error;
    throw listenError({ kind: 'unix', path }, OWNER.who, 'control.socket', error);
  }
}
