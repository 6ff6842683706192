import { fstatSync, readFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import type { Address } from '../../base/net/address.ts';
import { SERVER_OPTIONS } from '../../base/net/listener.ts';
import type { PassedFd } from './listen-fds.ts';

/** The user of a socket: serves its connections. */
export interface Taker {
  onConnection(socket: Socket): void;
  /** One accept failed; the socket still works. */
  onError(error: Error): void;
}

/**
 * A listening socket that systemd bound. The socket outlives this process: clients wait in its backlog during a restart.
 * Node cannot stop accepting without closing the descriptor, and cannot duplicate it. So an open socket stays open until
 * the process ends. Without a user, its clients are reset, because nothing would answer them.
 */
export class InheritedSocket {
  readonly name: string;
  readonly #fd: number;
  #server: Server | undefined;
  #opened = false;
  #address: Address | undefined;
  #taker: Taker | undefined;

  constructor({ fd, name }: PassedFd) {
    this.#fd = fd;
    this.name = name;
  }

  /** The bound address; undefined before `open`, and if this is not a listening stream socket. */
  get address(): Address | undefined {
    return this.#address;
  }

  get isFree(): boolean {
    return this.#taker === undefined;
  }

  /** Starts to accept in the next turn of the event loop: a user that takes the socket now misses no connection. */
  open(): void {
    if (this.#opened) return;
    this.#opened = true;
    // A wrong count of descriptors would name one of Node's own, which must not be opened and closed here.
    if (!isSocket(this.#fd)) return;
    const server = createServer(SERVER_OPTIONS, (socket) => {
      if (this.#taker) this.#taker.onConnection(socket);
      else socket.on('error', () => {}).resetAndDestroy();
    });
    server.on('error', (error) => this.#taker?.onError(error));
    try {
      server.listen({ fd: this.#fd });
    } catch {
      // Another kind of descriptor (ERR_INVALID_FD_TYPE): the caller sees the missing address.
      return;
    }
    if (!server.listening) return;
    this.#server = server;
    this.#address = this.#boundTo(server);
  }

  take(taker: Taker): void {
    this.#taker = taker;
  }

  /** Returns whether `taker` was the user until now. */
  release(taker: Taker): boolean {
    if (this.#taker !== taker) return false;
    this.#taker = undefined;
    return true;
  }

  /** Closes the descriptor: new clients wait in the backlog for the next process. */
  close(): void {
    this.#server?.close();
    this.#server = undefined;
  }

  #boundTo(server: Server): Address | undefined {
    const bound = server.address();
    if (bound !== null && typeof bound === 'object') return { kind: 'tcp', host: bound.address, port: bound.port };
    const path = unixPath(this.#fd);
    return path === undefined ? undefined : { kind: 'unix', path };
  }
}

function isSocket(fd: number): boolean {
  try {
    return fstatSync(fd).isSocket();
  } catch {
    return false;
  }
}

/** Node does not know the path of a socket that another process bound; the kernel does. */
function unixPath(fd: number): string | undefined {
  try {
    return pathOfSocket(readFileSync('/proc/self/net/unix', 'utf8'), fstatSync(fd).ino);
  } catch {
    return undefined;
  }
}

/** The path of the socket with this inode, from the text of /proc/net/unix (proc(5)); undefined: no path. Pure. */
export function pathOfSocket(table: string, inode: number): string | undefined {
  for (const line of table.split('\n')) {
    const [, found, path] = /^\S+: \S+ \S+ \S+ \S+ \S+ +(\d+) (\/.*)$/.exec(line) ?? [];
    if (found === String(inode)) return path;
  }
  return undefined;
}
