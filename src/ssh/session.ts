import { Socket } from 'node:net';
import ssh2, { type Client, type NegotiatedAlgorithms } from 'ssh2';
import type { Address } from '../address.ts';
import { TunnelError } from '../errors.ts';
import type { Channel, Originator } from '../forward/channel-source.ts';
import type { FarListener, IncomingConnection } from '../forward/far-side.ts';
import { printable } from '../printable.ts';
import { offer } from './algorithms.ts';
import { Backlog } from './backlog.ts';
import { type ChannelDependencies, openDirectChannel, SessionChannel } from './channel.ts';
import { fingerprint } from './fingerprint.ts';
import { explainHandshake, type HandshakeStep } from './handshake.ts';
import { Keepalive } from './keepalive.ts';
import { requestKeepalive } from './keepalive-request.ts';
import { RemoteListeners } from './remote-listeners.ts';
import type { SessionOptions } from './session-options.ts';
import type { Transport } from './transport.ts';

/** What the two sides agreed on; shown in `/status`. */
export interface SessionFacts {
  /** The server's identification string, e.g. `SSH-2.0-OpenSSH_9.2p1`. */
  readonly server: string;
  /** Fingerprint of the host key that was accepted. */
  readonly hostKey: string;
  readonly kex: string;
  readonly cipher: string;
}

/** How a session ended: what went wrong (nothing, if we ended it), and how long the peer had been silent before. */
export interface SessionEnd {
  readonly error: TunnelError | undefined;
  readonly silentMs: number;
}

/** The peer may take this long to close its side after we said goodbye; then the socket is destroyed. */
const GOODBYE_MS = 1_000;

/** An identification line has at most 255 characters (RFC 4253 section 4.2), but lines may stand before it. */
const GREETING_LIMIT = 1_024;
/** The whole line: it may arrive in pieces. */
const IDENTIFICATION = /^(SSH-[^\r\n]*)\r?\n/m;

/**
 * Authenticates over a connected transport, which belongs to the session from here on. Rejects with a TunnelError that
 * names the step, or with the signal's reason; the transport is gone then.
 */
export function openSession(socket: Transport, options: SessionOptions, signal: AbortSignal): Promise<Session> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      // It may have aborted between the dial and this call; no event would tell.
      socket.on('error', () => {}).destroy();
      reject(signal.reason);
      return;
    }
    const client = new ssh2.Client();
    let step: HandshakeStep = 'banner';
    let timedOut = false;
    let firstError: Error | undefined;
    let greeting = '';
    let refused: TunnelError | undefined;
    let accepted: Buffer | undefined;
    let agreed: NegotiatedAlgorithms | undefined;

    const nextStep = (next: HandshakeStep) => {
      step = next;
      options.onStep?.(next);
      timer.refresh();
    };
    const timer = setTimeout(() => {
      timedOut = true;
      socket.destroy();
    }, options.stepTimeoutMs);
    const onAbort = () => socket.destroy();
    signal.addEventListener('abort', onAbort, { once: true });

    const onGreeting = (chunk: Buffer) => {
      greeting += chunk.toString('latin1', 0, GREETING_LIMIT);
      const identified = IDENTIFICATION.test(greeting);
      if (!identified && greeting.length < GREETING_LIMIT) return;
      socket.off('data', onGreeting);
      if (identified && step === 'banner') nextStep('kex');
    };
    socket.on('data', onGreeting);

    // ssh2 takes anything but the literal `false` for a yes, a promise included; and it asks again at every rekey.
    const hostVerifier = (blob: Buffer): boolean => {
      try {
        if (accepted) return accepted.equals(blob) === true;
        refused = options.hostKey.verify(blob);
        if (refused !== undefined) return false;
        accepted = Buffer.from(blob);
        return true;
      } catch (error) {
        refused = TunnelError.from(error);
        return false;
      }
    };

    const settle = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      socket.off('data', onGreeting);
      socket.off('close', onClose);
      client.off('handshake', onHandshake).off('ready', onReady);
    };
    const onHandshake = (algorithms: NegotiatedAlgorithms) => {
      agreed = algorithms;
      nextStep('auth');
    };
    const onReady = () => {
      settle();
      client.off('error', onError);
      if (!accepted || !agreed) {
        socket.destroy();
        reject(new TunnelError('internal', 'ssh2 reported a session without a verified host key'));
        return;
      }
      const server = printable(IDENTIFICATION.exec(greeting)?.[1] ?? '', 255);
      const facts = { server, hostKey: fingerprint(accepted), kex: agreed.kex, cipher: agreed.cs.cipher };
      resolve(new Session(client, socket, options, facts));
    };
    const onClose = () => {
      settle();
      const { peer, stepTimeoutMs, username, credential, ifRejected } = options;
      reject(
        signal.aborted
          ? signal.reason
          : // What the transport itself says of its end is nearer to the cause than any guess by the step.
            firstError instanceof TunnelError
            ? firstError
            : explainHandshake({
                step,
                peer,
                timedOut,
                stepTimeoutMs,
                hostKey: refused,
                error: firstError,
                greeting,
                username,
                credential,
                ifRejected,
              }),
      );
    };
    // Zero, one or more errors may come before 'close', and after: they only inform. A peer that then does not close
    // its side would keep us waiting, so we close ours for good.
    const onError = (error: Error) => {
      firstError ??= error;
      setImmediate(() => socket.destroy());
    };
    client.on('error', onError).on('handshake', onHandshake).on('ready', onReady);
    socket.once('close', onClose);

    try {
      client.connect({
        sock: socket,
        username: options.username,
        authHandler: options.authMethods(client),
        algorithms: offer(options.hostKey.algorithms),
        hostVerifier,
        // The server's answer decides what it can do, not the name that it gives itself.
        strictVendor: false,
        readyTimeout: 0,
        keepaliveInterval: 0,
      });
    } catch (error) {
      firstError = error instanceof Error ? error : new Error(String(error));
      socket.destroy();
    }
  });
}

/** One authenticated SSH connection. Driven by its socket's close alone; ssh2's errors only explain it. */
export class Session {
  readonly facts: SessionFacts;
  readonly since = new Date();
  /** Where it goes; undefined over another session. */
  readonly address: string | undefined;
  /** Settles once the connection is gone, whoever ended it. */
  readonly closed: Promise<SessionEnd>;
  readonly #client: Client;
  readonly #socket: Transport;
  readonly #options: SessionOptions;
  readonly #keepalive: Keepalive;
  readonly #backlog: Backlog;
  readonly #channels = new Set<SessionChannel>();
  readonly #listeners: RemoteListeners;
  #state: 'open' | 'draining' | 'ending' | 'closed' = 'open';
  #error: TunnelError | undefined;
  #silentMs = 0;

  constructor(client: Client, socket: Transport, options: SessionOptions, facts: SessionFacts) {
    this.#client = client;
    this.#socket = socket;
    this.#options = options;
    this.facts = facts;
    this.address = socket instanceof Socket ? socket.remoteAddress : undefined;
    this.#backlog = new Backlog(socket);
    this.#keepalive = new Keepalive(options.keepalive, {
      lifesigns: () => ({
        received: socket.bytesRead,
        flushed: socket.bytesWritten - socket.writableLength,
        backlog: socket.writableLength,
      }),
      request: (onReply) => requestKeepalive(client, onReply),
      onLost: (sinceMs, what) => this.#lost(sinceMs, what),
      now: () => performance.now(),
    });
    this.#listeners = new RemoteListeners(client, {
      timeoutMs: options.stepTimeoutMs,
      usable: () => this.usable,
      gone: () => this.#gone(),
      onSilence: () => this.check(),
      adopt: (peer) => this.#counted((deps) => new SessionChannel(peer, deps)),
      onReleased: () => this.#endIfDrained(),
    });
    client.on('error', (error) => this.#explain(error));
    // A peer that closes only its side is gone as well: without this, unsent data could keep the socket for ever.
    client.on('end', () => this.#destroyAfter(GOODBYE_MS));
    this.closed = new Promise((resolve) => client.once('close', () => resolve(this.#onClose())));
  }

  /** Channels that are open or being opened. */
  get channels(): number {
    return this.#channels.size;
  }

  /** Bytes received from the peer so far, all kinds of traffic. */
  get received(): number {
    return this.#socket.bytesRead;
  }

  /** Whether new channels may be asked for. */
  get usable(): boolean {
    return (this.#state === 'open' || this.#state === 'draining') && !this.#socket.destroyed && this.#socket.writable;
  }

  get suspect(): boolean {
    return this.#keepalive.suspect;
  }

  get rttMs(): number | undefined {
    return this.#keepalive.rttMs;
  }

  /** Opens a channel to `target` as seen from the server; the SPEC's deadline of its own applies. */
  async open(target: Address, originator: Originator, signal: AbortSignal): Promise<Channel> {
    if (!this.usable) throw this.#gone();
    const channel = this.#counted((deps) => openDirectChannel(this.#client, target, originator, deps));
    return channel.opened(this.#options.stepTimeoutMs, signal);
  }

  /** A listener on the far side (RFC 4254 section 7.1) whose connections go to `onConnection`; not bound yet. */
  listener(address: Address, onConnection: (incoming: IncomingConnection) => void): FarListener {
    return this.#listeners.create(address, onConnection);
  }

  /** Something looked dead through this session: find out at once. */
  check(): void {
    if (this.#state !== 'closed') this.#keepalive.check();
  }

  /** No more use is made of it: it ends as soon as its last channel is closed and its last listener released. */
  drain(): void {
    if (this.#state === 'open') this.#state = 'draining';
    this.#endIfDrained();
  }

  /** Ends it with SSH_MSG_DISCONNECT (RFC 4253 section 11.1), whatever is still open; once more, with less patience. */
  end(patienceMs = GOODBYE_MS): Promise<SessionEnd> {
    if (this.#state === 'open' || this.#state === 'draining') {
      this.#state = 'ending';
      this.#client.end();
    }
    if (this.#state === 'ending') this.#destroyAfter(patienceMs);
    return this.closed;
  }

  /** A channel that counts as the session's from now until it is closed. */
  #counted(create: (deps: ChannelDependencies) => SessionChannel): SessionChannel {
    const channel: SessionChannel = create({
      gone: () => this.#gone(),
      onOpened: (stream) => this.#backlog.govern(stream),
      onClosed: () => {
        this.#channels.delete(channel);
        this.#endIfDrained();
      },
    });
    this.#channels.add(channel);
    return channel;
  }

  #endIfDrained(): void {
    if (this.#state === 'draining' && this.#channels.size === 0 && this.#listeners.size === 0) void this.end();
  }

  #lost(sinceMs: number, what: 'silent' | 'deaf'): void {
    this.#silentMs = sinceMs;
    const did = what === 'silent' ? 'has been silent' : 'still sends, but has answered nothing';
    this.#error ??= new TunnelError(
      'keepalive_lost',
      `${this.#options.peer} ${did} for ${(sinceMs / 1000).toFixed(1)} s`,
    );
    this.#socket.destroy();
  }

  #explain(error: Error): void {
    const said = printable(error.message, 120);
    this.#error ??=
      error instanceof TunnelError
        ? error
        : new TunnelError('connection_reset', `${this.#options.peer}: ${said}`, { cause: error });
    this.#destroyAfter(GOODBYE_MS);
  }

  #gone(): TunnelError {
    return this.#error ?? new TunnelError('connection_reset', `the SSH session to ${this.#options.peer} is closed`);
  }

  #destroyAfter(ms: number): void {
    const timer = setTimeout(() => this.#socket.destroy(), ms);
    this.#socket.once('close', () => clearTimeout(timer));
  }

  #onClose(): SessionEnd {
    const ours = this.#state === 'ending';
    this.#state = 'closed';
    this.#keepalive.stop();
    if (!ours) this.#error ??= new TunnelError('connection_reset', `${this.#options.peer} closed the SSH session`);
    // ssh2 ends every channel's stream right after this: now is the last moment to tell a cut from an end.
    for (const channel of this.#channels) channel.lose();
    this.#channels.clear();
    return { error: ours ? undefined : this.#error, silentMs: this.#silentMs };
  }
}
