import { once } from 'node:events';
import { createServer, type Server, type ServerOpts, type Socket } from 'node:net';

export interface LoopbackServer extends AsyncDisposable {
  /** 0 on a Unix socket. */
  readonly port: number;
  /** Open connections. */
  readonly sockets: ReadonlySet<Socket>;
  /** How many connections there ever were. */
  accepted(): number;
  /** Refuses new connections; the open ones live on. */
  refuse(): void;
  /** Refuses new connections and cuts the open ones. */
  stop(): Promise<void>;
}

/** A TCP server on 127.0.0.1, or one on the Unix socket `path`, that owns its connections: none outlives it, none can crash the test with an 'error'. */
export async function listenLoopback(
  onConnection: (socket: Socket) => void,
  options: ServerOpts & { port?: number; path?: string } = {},
): Promise<LoopbackServer> {
  const sockets = new Set<Socket>();
  let accepted = 0;
  const server = createServer({ allowHalfOpen: true, ...options }, (socket) => {
    accepted += 1;
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => sockets.delete(socket));
    onConnection(socket);
  });
  const port = options.path === undefined ? await listen(server, options.port) : await listenAt(server, options.path);
  const stop = async () => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  const refuse = () => void server.close();
  return { port, sockets, accepted: () => accepted, refuse, stop, [Symbol.asyncDispose]: stop };
}

async function listenAt(server: Server, path: string): Promise<0> {
  server.listen(path);
  await once(server, 'listening');
  return 0;
}

/** Binds a server on loopback and says which port it got. */
export async function listen(server: Server, port = 0): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: '127.0.0.1', port }, () => {
      server.off('error', reject);
      resolve();
    });
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('not a TCP server');
  return address.port;
}

/** Below Linux's range for port 0 and outgoing connections (32768 to 60999), so that no program gets one by chance. */
const FREE_PORTS = { first: 20_000, slices: 48, count: 250 } as const;
const given = new Set<number>();

/**
 * Claims a slice of the ports for this process: test files that run at the same time must not get ports of each other, nor
 * those of a second checkout or of a script. The kernel gives the name back at the end of the process.
 */
async function claimSlice(): Promise<{ readonly first: number; readonly count: number }> {
  const { first, count, slices } = FREE_PORTS;
  const start = Math.floor(Math.random() * slices);
  for (let tried = 0; tried < slices; tried += 1) {
    const slice = (start + tried) % slices;
    const claim = createServer().unref();
    try {
      await listenAt(claim, `\0fleet-mesh-test-ports-${slice}`);
      return { first: first + slice * count, count };
    } catch {
      // A process has this slice: perhaps this one, which needs more ports.
    }
  }
  // More processes than slices: they share.
  return { first: first + start * count, count };
}

// The first one is taken at the start, so that no check of leaks meets one descriptor more.
let ownPorts = await claimSlice();
let claiming: Promise<void> | undefined;

/** All ports of the slice are given: none of them may be given again, because its first user may not listen yet. */
async function claimMore(): Promise<void> {
  ownPorts = await claimSlice();
  given.clear();
  claiming = undefined;
}

/**
 * A port that was free a moment ago, and that no other test file gets until this one has ended: nothing listens there unless
 * the test does. Prefer port 0 wherever the other side can report it.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const { first, count } = ownPorts;
    if (given.size === count) {
      claiming ??= claimMore();
      await claiming;
      continue;
    }
    const port = first + Math.floor(Math.random() * count);
    if (given.has(port)) continue;
    given.add(port);
    const server = createServer();
    try {
      await listen(server, port);
    } catch {
      continue;
    }
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
}
