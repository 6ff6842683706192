import type { Client, ClientChannel } from 'ssh2';
import { abortable, withDeadline } from '../../base/async/deadline.ts';
import { TunnelError } from '../../base/errors.ts';
import { type Address, formatAddress } from '../../base/net/address.ts';
import type { Originator } from '../channel/channel-source.ts';
import type { FarListener, IncomingConnection } from '../channel/far-side.ts';
import type { SessionChannel } from './channel.ts';
import { peerHint } from './peer-hint.ts';

interface RemoteListenersDependencies {
  /** The server's identification string. */
  readonly server: string;
  /** Bound of each request, in milliseconds. */
  readonly timeoutMs: number;
  /** Whether the session is still usable. */
  usable(): boolean;
  /** Why the session is not usable. */
  gone(): TunnelError;
  /** A request got no answer, so check the session. */
  onSilence(): void;
  /** Adds a channel to the session; `peer` is the client's address. */
  adopt(peer: Address): SessionChannel;
  onReleased(): void;
}

/** Bound, in milliseconds, of the wait for a listener to close: a reload or a stop must not wait for a silent server. */
const CANCEL_MS = 2_000;

/** A client of a Unix socket is on the host itself, and has no address (OpenSSH PROTOCOL, section 2.4). */
const SOCKET_CLIENT: Originator = { address: '127.0.0.1', port: 0 };

/** The listeners of one session on the host, and the receivers of their connections. */
export class RemoteListeners {
  readonly #client: Client;
  readonly #deps: RemoteListenersDependencies;
  readonly #listeners = new Set<FarListener>();
  readonly #granted = new Set<string>();
  /** Granted addresses that the server does not release, and whether the listener is useless there. */
  readonly #kept = new Map<string, boolean>();
  readonly #receivers = new Map<string, (incoming: IncomingConnection) => void>();

  constructor(client: Client, deps: RemoteListenersDependencies) {
    this.#client = client;
    this.#deps = deps;
    // OpenSSH returns the address exactly as requested.
    client.on('tcp connection', ({ destIP, destPort, srcIP, srcPort }, accept, reject) => {
      const key = formatAddress({ kind: 'tcp', host: destIP, port: destPort });
      this.#arrived(key, { address: srcIP, port: srcPort }, accept, reject);
    });
    client.on('unix connection', ({ socketPath }, accept, reject) => {
      const key = formatAddress({ kind: 'unix', path: socketPath });
      // ssh2's types share this event with the server; a client gets a ClientChannel.
      this.#arrived(key, SOCKET_CLIENT, () => accept() as ClientChannel, reject);
    });
  }

  /** Number of listeners that are not released. The end of the session also ends listeners that the server keeps. */
  get size(): number {
    return this.#listeners.size;
  }

  /** Whether the server keeps a listener that this node cancelled: only the end of the session frees the address. */
  get keepsCancelled(): boolean {
    for (const useless of this.#kept.values()) if (!useless) return true;
    return false;
  }

  create(address: Address, onConnection: (incoming: IncomingConnection) => void): FarListener {
    const key = formatAddress(address);
    const listener: FarListener = {
      bind: async (signal) => {
        this.#receivers.set(key, onConnection);
        // The server still listens there, and would refuse a second request.
        if (this.#kept.has(key)) {
          this.#listeners.delete(listener);
          this.#granted.add(key);
          return;
        }
        await this.#bind(address, signal);
        this.#granted.add(key);
      },
      cancel: async (useless = false) => {
        const confirmed = await this.#cancel(address);
        if (confirmed) this.#kept.delete(key);
        else if (this.#granted.has(key) && this.#deps.usable()) this.#kept.set(key, useless);
        this.#granted.delete(key);
        // The channel of a connection that the server accepted before it stopped arrived before this reply.
        if (this.#receivers.get(key) === onConnection) this.#receivers.delete(key);
        return confirmed;
      },
      kept: () => this.#kept.has(key),
      release: () => {
        if (this.#receivers.get(key) === onConnection) this.#receivers.delete(key);
        if (this.#listeners.delete(listener)) this.#deps.onReleased();
      },
    };
    this.#listeners.add(listener);
    return listener;
  }

  async #bind(address: Address, signal: AbortSignal): Promise<void> {
    const where = formatAddress(address);
    const refused = (cause: Error) =>
      new TunnelError('remote_listen_denied', `the server refused to listen on ${where}`, {
        cause,
        hint: peerHint(this.#deps.server, 'remote_listen_denied'),
      });
    await this.#answer(
      this.#deps.timeoutMs,
      signal,
      // Without a callback, ssh2 forgets the forward and rejects each of its connections.
      (callback) =>
        address.kind === 'unix'
          ? this.#client.openssh_forwardInStreamLocal(address.path, callback)
          : this.#client.forwardIn(address.host, address.port, callback),
      refused,
      `to listen on ${where}`,
    );
  }

  async #cancel(address: Address): Promise<boolean> {
    const where = formatAddress(address);
    // A server reports an error for an unknown listener; the listener is then closed already.
    const refused = (cause: Error) => new TunnelError('internal', `the server did not listen on ${where}`, { cause });
    try {
      await this.#answer(
        CANCEL_MS,
        undefined,
        (callback) =>
          address.kind === 'unix'
            ? this.#client.openssh_unforwardInStreamLocal(address.path, callback)
            : this.#client.unforwardIn(address.host, address.port, callback),
        refused,
        `to stop listening on ${where}`,
      );
      return true;
    } catch {
      return false;
    }
  }

  /** The reply to a global request (RFC 4254 section 4), bounded in time. */
  #answer(
    ms: number,
    signal: AbortSignal | undefined,
    send: (callback: (error?: Error | null) => void) => void,
    refused: (cause: Error) => TunnelError,
    what: string,
  ): Promise<void> {
    const silent = () => {
      this.#deps.onSilence();
      return new TunnelError('connection_reset', `the server did not answer the request ${what} within ${ms} ms`);
    };
    return withDeadline(ms, signal, silent, (bounded) => abortable(this.#request(send, refused), bounded));
  }

  #request(
    send: (callback: (error?: Error | null) => void) => void,
    refused: (cause: Error) => TunnelError,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      try {
        send((error) => {
          if (!error) resolve();
          // ssh2 itself answers open requests when the connection ends.
          else reject(this.#deps.usable() ? refused(error) : this.#deps.gone());
        });
      } catch {
        // ssh2 throws when its socket is no longer writable.
        reject(this.#deps.gone());
      }
    });
  }

  #arrived(key: string, originator: Originator, accept: () => ClientChannel, reject: () => void): void {
    const receiver = this.#receivers.get(key);
    if (!receiver) {
      reject();
      return;
    }
    const channel = this.#deps.adopt({ kind: 'tcp', host: originator.address, port: originator.port });
    let answered = false;
    receiver({
      originator,
      accept: () => {
        if (answered || !this.#deps.usable()) throw this.#deps.gone();
        answered = true;
        return channel.confirmed(accept());
      },
      reject: () => {
        if (answered) return;
        answered = true;
        if (this.#deps.usable()) reject();
        channel.declined();
      },
    });
  }
}
