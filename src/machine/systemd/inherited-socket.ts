import { fstatSync, readFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import type { Address } from '../../base/net/address.ts';
import { SERVER_OPTIONS } from '../../base/net/listener.ts';
import type { PassedFd } from './listen-fds.ts';

/** Who serves the connections of a socket. */
export interface Taker {
  onConnection(socket: Socket): void;
  /** One accept failed; the socket lives. */
  onError(error: Error): void;
}

/**
 * A listening socket that systemd bound and keeps: it outlives this process, so that clients wait in its backlog while
 * there is none. Node can neither duplicate the descriptor nor stop accepting on it without closing it. So once opened it
 * is kept to the end, whoever uses it, and while nobody does its clients are reset: to let them wait for nothing would be
 * worse.
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

  /** Where it listens; undefined before it was opened, and for what is not a listening stream socket. */
  get address(): Address | undefined {
    return this.#address;
  }

  get isFree(): boolean {
    return this.#taker === undefined;
  }

  /** Begins to accept, but not before the next turn of the event loop: whoever takes it now misses nothing. */
  open(): void {
    if (this.#opened) return;
    this.#opened = true;
    const server = createServer(SERVER_OPTIONS, (socket) => {
      if (this.#taker) this.#taker.onConnection(socket);
      else socket.on('error', () => {}).resetAndDestroy();
    });
    server.on('error', (error) => this.#taker?.onError(error));
    try {
      server.listen({ fd: this.#fd });
    } catch {
      // A descriptor of another kind (ERR_INVALID_FD_TYPE): the caller sees that there is no address.
      return;
    }
    if (!server.listening) return;
    this.#server = server;
    this.#address = this.#boundTo(server);
  }

  take(taker: Taker): void {
    this.#taker = taker;
  }

  /** Whether it was that taker's until now. */
  release(taker: Taker): boolean {
    if (this.#taker !== taker) return false;
    this.#taker = undefined;
    return true;
  }

  /** Lets go of it for good: those who come now wait for the next process. */
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

/** Node does not know the path of a socket that it has not bound itself; the kernel does. */
function unixPath(fd: number): string | undefined {
  try {
    return pathOfSocket(readFileSync('/proc/self/net/unix', 'utf8'), fstatSync(fd).ino);
  } catch {
    return undefined;
  }
}

/** The path of the socket with that inode, from the text of /proc/net/unix (proc(5)); undefined when it has none. Pure. */
export function pathOfSocket(table: string, inode: number): string | undefined {
  for (const line of table.split('\n')) {
    const [, found, path] = /^\S+: \S+ \S+ \S+ \S+ \S+ +(\d+) (\/.*)$/.exec(line) ?? [];
    if (found === String(inode)) return path;
  }
  return undefined;
}
