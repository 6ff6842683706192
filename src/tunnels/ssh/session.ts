import { Socket } from 'node:net';
import type { Client } from 'ssh2';
import type { Signal } from '../../base/async/signal.ts';
import { TunnelError } from '../../base/errors.ts';
import type { Address } from '../../base/net/address.ts';
import type { KeepaliveConfig } from '../../config/config.ts';
import type { Channel, Originator } from '../channel/channel-source.ts';
import type { FarListener, IncomingConnection, ListenTrouble } from '../channel/far-side.ts';
import { Backlog } from './backlog.ts';
import { type ChannelDependencies, openDirectChannel, SessionChannel } from './channel.ts';
import { Farewell } from './farewell.ts';
import type { PeerGuard } from './guard/peer-guard.ts';
import { explainSessionError } from './guard/session-error.ts';
import type { HandshakeStep } from './handshake.ts';
import type { HostKeyPolicy } from './host-key/host-key-policy.ts';
import { Keepalive } from './keepalive.ts';
import { REKEY_LIMITS, type RekeyLimits, rekeyInTime } from './key-exchange/rekeying.ts';
import { OpenChannels } from './open-channels.ts';
import { DataPath } from './packets/data-path.ts';
import { ForwardStream } from './packets/forward-stream.ts';
import { peerHint } from './peer-hint.ts';
import { RemoteListeners } from './remote-listeners.ts';
import { RequestOrder } from './request-order.ts';
import { type OnPassed, SentOpens } from './sent-opens.ts';
import { SignOfLife } from './sign-of-life.ts';
import type { Transport } from './transport.ts';
import type { UserAuth } from './user-auth.ts';

export interface SessionOptions {
  /** Name of the host in errors, e.g. `coulombcore (192.0.2.1) port 22`. */
  readonly peer: string;
  readonly username: string;
  /** The offered credential in errors; not secret. */
  readonly offered: string;
  /** Hint when the server rejects the credential; undefined: the usual hint. */
  readonly ifRejected?: string | undefined;
  /** The complete list of offers, in order. */
  readonly authMethods: UserAuth;
  readonly hostKey: HostKeyPolicy;
  /** Bound of each step: banner, key exchange, authentication, channel open; in milliseconds. */
  readonly stepTimeoutMs: number;
  readonly keepalive: KeepaliveConfig;
  /** When the session gets new keys. Default: {@link REKEY_LIMITS}. */
  readonly rekey?: RekeyLimits;
  /** Called at the start of each step. */
  readonly onStep?: ((step: HandshakeStep) => void) | undefined;
}

/** The result of the handshake; shown in `/status`. */
export interface SessionFacts {
  /** The server's identification string, e.g. `SSH-2.0-OpenSSH_9.2p1`. */
  readonly server: string;
  /** Fingerprint of the host key that was accepted. */
  readonly hostKey: string;
  readonly kex: string;
  readonly cipher: string;
}

/** How a session ended: the error (none if we ended it), and the silence of the peer before, in milliseconds. */
export interface SessionEnd {
  readonly error: TunnelError | undefined;
  readonly silentMs: number;
  /**
   * For how long it had no channel when the peer closed it, in milliseconds; undefined after a reset or the report of an
   * error, which no time limit sends.
   */
  readonly idleMs?: number | undefined;
}

/** Time for the peer to close its side after our disconnect, in milliseconds; then the socket is destroyed. */
const GOODBYE_MS = 1_000;

/** One authenticated SSH connection. Only the close of its socket ends it; ssh2's errors explain the close. */
export class Session {
  readonly facts: SessionFacts;
  readonly since = new Date();
  /** Remote address; undefined over another session. */
  readonly address: string | undefined;
  /** Settles when the connection is closed, by either side. */
  readonly closed: Promise<SessionEnd>;
  /** Settles with the first answer after the login, or with the end of the session. */
  readonly answered: Promise<void>;
  readonly #client: Client;
  readonly #socket: Transport;
  readonly #options: SessionOptions;
  readonly #order = new RequestOrder();
  readonly #keepalive: Keepalive;
  readonly #opens: SentOpens;
  readonly #farewell: Farewell;
  readonly #backlog: Backlog;
  readonly #path: DataPath | undefined;
  readonly #channels = new OpenChannels();
  readonly #listeners: RemoteListeners;
  #state: 'open' | 'draining' | 'ending' | 'closed' = 'open';
  #error: TunnelError | undefined;
  #silentMs = 0;

  constructor(client: Client, socket: Transport, options: SessionOptions, facts: SessionFacts, guard: PeerGuard) {
    this.#client = client;
    this.#socket = socket;
    this.#options = options;
    this.facts = facts;
    this.address = socket instanceof Socket ? socket.remoteAddress : undefined;
    this.#farewell = new Farewell(socket);
    this.#backlog = new Backlog(socket);
    guard.loggedIn(
      (rekeying) => this.#backlog.hold(rekeying),
      () => this.#farewell.after(GOODBYE_MS),
    );
    this.#path = DataPath.attach(client, socket, {
      backlog: this.#backlog,
      shortestRttMs: () => this.#keepalive.shortestRttMs,
    });
    const lifesigns = () => ({
      received: socket.bytesRead,
      flushed: socket.bytesWritten - socket.writableLength,
      backlog: socket.writableLength,
    });
    rekeyInTime(client, options.rekey ?? REKEY_LIMITS, {
      lifesigns,
      onRekey: () => guard.rekeys(),
    });
    const life = new SignOfLife(client);
    let onAnswered = () => {};
    this.answered = new Promise((resolve) => {
      onAnswered = resolve;
    });
    this.#keepalive = new Keepalive(options.keepalive, this.#order, {
      lifesigns,
      request: (onReply) => life.ask(onReply),
      answersRequests: () => life.answers,
      inUse: () => this.#channels.size > 0 || this.#listeners.size > 0,
      onAnswered: () => {
        onAnswered();
        this.#opens.sweep();
      },
      onLost: (sinceMs, what) => this.#lost(sinceMs, what),
      now: () => performance.now(),
    });
    this.#opens = new SentOpens({
      order: this.#order,
      keepalive: this.#keepalive,
      peer: options.peer,
      usable: () => this.usable,
    });
    this.#listeners = new RemoteListeners(client, {
      server: facts.server,
      timeoutMs: options.stepTimeoutMs,
      usable: () => this.usable,
      gone: () => this.#gone(),
      onSilence: () => this.check(),
      adopt: (peer) => this.#counted((deps) => new SessionChannel(peer, deps)),
      onReleased: () => this.#endIfDrained(),
    });
    client.on('error', (error) => this.#explain(error));
    // A peer that closes only its side is lost as well: without this, unsent data could keep the socket forever.
    client.on('end', () => this.#farewell.after(GOODBYE_MS));
    this.closed = new Promise((resolve) => client.once('close', () => resolve(this.#onClose())));
    void this.closed.then(onAnswered);
  }

  /** Number of channels that are open or being opened. */
  get channels(): number {
    return this.#channels.size;
  }

  /** For how long the session has had no channel, in milliseconds; undefined while it has one. */
  get idleMs(): number | undefined {
    return this.#channels.idleMs;
  }

  /** Number of listeners on the host, bound or being bound. */
  get listeners(): number {
    return this.#listeners.size;
  }

  /** Whether new channels may be opened. */
  get usable(): boolean {
    return (this.#state === 'open' || this.#state === 'draining') && !this.#socket.destroyed && this.#socket.writable;
  }

  /** Whether another session should replace this one, because only the end of this one frees an address of the host. */
  get outworn(): boolean {
    return this.#listeners.keepsCancelled;
  }

  get suspect(): boolean {
    return this.#keepalive.suspect;
  }

  /** Opens that the server has not answered, with those whose caller has left: SSH cannot withdraw an open. */
  get unanswered(): number {
    return this.#order.openCount;
  }

  /** The host whose open has frozen the server; undefined when the server answers, or the network is the cause. */
  get frozenBy(): string | undefined {
    return this.#opens.frozenBy;
  }

  /** How long an answer may take before the session is suspect, in milliseconds. */
  get patienceMs(): number {
    return this.#keepalive.patienceMs;
  }

  get rttMs(): number | undefined {
    return this.#keepalive.rttMs;
  }

  /**
   * Opens a channel to `target` as seen from the server, within the bound of one step.
   *
   * @param onPassed guards the open by keepalives, which prove whether the open froze the server
   */
  open(target: Address, originator: Originator, signal: Signal, onPassed?: OnPassed): Promise<Channel> {
    if (!this.usable) {
      onPassed?.(false);
      return Promise.reject(this.#gone());
    }
    try {
      return this.#request(target, originator, onPassed).opened(this.#options.stepTimeoutMs, signal);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** A listener on the host (RFC 4254 section 7.1) whose connections go to `onConnection`; not bound yet. */
  listener(address: Address, onConnection: (incoming: IncomingConnection) => void): FarListener {
    return this.#listeners.create(address, onConnection);
  }

  /** The fix of a trouble with a far-side listener; undefined when settings of sshd are the fix. */
  fix(trouble: ListenTrouble): string | undefined {
    return peerHint(this.facts.server, trouble);
  }

  /** Asks the peer immediately, because a connection of this session looks dead. */
  check(): void {
    if (this.#state !== 'closed') this.#keepalive.check();
  }

  /** Takes no new work: the session ends when its last channel is closed and its last listener is released. */
  drain(): void {
    if (this.#state === 'open') this.#state = 'draining';
    this.#endIfDrained();
  }

  /** Ends the session with SSH_MSG_DISCONNECT (RFC 4253 section 11.1) and all that is open. A later call may shorten the wait. */
  end(patienceMs = GOODBYE_MS): Promise<SessionEnd> {
    if (this.#state === 'open' || this.#state === 'draining') {
      this.#state = 'ending';
      this.#client.end();
    }
    if (this.#state === 'ending') this.#farewell.after(patienceMs);
    return this.closed;
  }

  #request(target: Address, originator: Originator, onPassed: OnPassed | undefined): SessionChannel {
    // One write, and so one segment: an answer to the keepalive says that the open has arrived too.
    const guarded = onPassed !== undefined;
    if (guarded) this.#socket.cork();
    try {
      return this.#opens.send(target, onPassed, ({ frozen, onAnswered }) =>
        this.#counted((deps) =>
          openDirectChannel(this.#client, this.#path, target, originator, {
            ...deps,
            gone: () => frozen() ?? deps.gone(),
            deaf: () => frozen() ?? deps.deaf(),
            onAnswered,
          }),
        ),
      );
    } finally {
      if (guarded) this.#socket.uncork();
    }
  }

  /** Adds a channel to the session until the channel is closed. */
  #counted(create: (deps: ChannelDependencies) => SessionChannel): SessionChannel {
    const channel: SessionChannel = create({
      server: this.facts.server,
      gone: () => this.#gone(),
      deaf: () => (this.suspect ? this.#deaf() : undefined),
      answeringSince: () => this.#keepalive.answeringSince,
      onAnswered: () => {},
      onOpened: (stream) => {
        if (!(stream instanceof ForwardStream)) this.#backlog.govern(stream);
      },
      onClosed: () => {
        this.#channels.remove(channel);
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
    const did = what === 'silent' ? 'has been silent' : 'still sends data, but has answered no request';
    this.#error ??= new TunnelError(
      'keepalive_lost',
      `${this.#options.peer} ${did} for ${(sinceMs / 1000).toFixed(1)} s`,
    );
    this.#socket.destroy();
  }

  #explain(error: Error): void {
    this.#error ??= explainSessionError(this.#options.peer, error);
    this.#farewell.after(GOODBYE_MS);
  }

  #gone(): TunnelError {
    return this.#error ?? new TunnelError('connection_reset', `the SSH session to ${this.#options.peer} is closed`);
  }

  #deaf(): TunnelError {
    return new TunnelError('keepalive_lost', `${this.#options.peer} answers neither a channel request nor a keepalive`);
  }

  #onClose(): SessionEnd {
    const ours = this.#state === 'ending';
    this.#state = 'closed';
    this.#keepalive.stop();
    this.#opens.close();
    // ssh2 reports no disconnect by the application.
    const quiet = this.#error === undefined;
    if (!ours) this.#error ??= new TunnelError('connection_reset', `${this.#options.peer} closed the SSH session`);
    // ssh2 ends every channel's stream right after this: now is the last moment to tell a lost stream from a finished one.
    const idleMs = quiet ? this.#channels.idleMs : undefined;
    this.#channels.lose();
    this.#path?.lose();
    return { silentMs: this.#silentMs, ...(ours ? { error: undefined } : { error: this.#error, idleMs }) };
  }
}
