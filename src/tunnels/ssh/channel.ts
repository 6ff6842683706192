import type { Duplex } from 'node:stream';
import type { Client, ClientChannel } from 'ssh2';
import type { Placed } from '../../base/async/crowd.ts';
import { DeadlineTimer } from '../../base/async/deadline-timer.ts';
import type { Signal } from '../../base/async/signal.ts';
import { TunnelError } from '../../base/errors.ts';
import { type Address, formatAddress } from '../../base/net/address.ts';
import type { Channel, Originator } from '../channel/channel-source.ts';
import { explainOpenFailure } from './open-failure.ts';
import type { DataPath } from './packets/data-path.ts';
import { ForwardStream } from './packets/forward-stream.ts';
import { hasEnded } from './ssh2-insides.ts';

/** The stream of a channel: ours, or that of ssh2. */
type ChannelStream = ForwardStream | ClientChannel;

export interface ChannelDependencies {
  /** The server's identification string. */
  readonly server: string;
  /** Why the session of the channel ended. */
  gone(): TunnelError;
  /** The error when the peer answers nothing at all, so a missing answer says nothing about the target. */
  deaf(): TunnelError | undefined;
  /** The end of the last silence of the peer, as of performance.now(). */
  answeringSince(): number;
  /** The server, or ssh2 after the end of the session, has answered the open. */
  onAnswered(): void;
  /** Called before the first use of the stream. */
  onOpened(stream: ChannelStream): void;
  /** The channel is closed, or was never opened. */
  onClosed(): void;
}

/** Asks the server for a channel to `target` (RFC 4254 section 7.2; OpenSSH PROTOCOL section 2.4 for Unix sockets). */
export function openDirectChannel(
  client: Client,
  path: DataPath | undefined,
  target: Address,
  originator: Originator,
  deps: ChannelDependencies,
): SessionChannel {
  const channel = new SessionChannel(target, deps);
  const onAnswer = (error: Error | undefined, stream: ChannelStream | undefined) => channel.answer(error, stream);
  try {
    if (path) path.open(target, originator, onAnswer);
    else if (target.kind === 'unix') client.openssh_forwardOutStreamLocal(target.path, onAnswer);
    else client.forwardOut(originator.address, originator.port, target.host, target.port, onAnswer);
  } catch {
    // ssh2 throws when its socket is no longer writable, before the session reports its close.
    queueMicrotask(() => channel.lose());
  }
  return channel;
}

/**
 * One channel of a session, from request to close. SSH cannot withdraw a pending open: if the caller has left, the
 * channel is closed as soon as the server opens it.
 */
export class SessionChannel implements Placed {
  place = -1;
  readonly #target: Address;
  readonly #deps: ChannelDependencies;
  /** Those who wait for the answer. */
  #waiting: { onOpened(stream: ChannelStream): void; onFailed(error: TunnelError): void } | undefined;
  #failure: TunnelError | undefined;
  #stream: ChannelStream | undefined;
  #onLost: ((complete: boolean) => void) | undefined;
  #over = false;

  constructor(target: Address, deps: ChannelDependencies) {
    this.#target = target;
    this.#deps = deps;
  }

  /** The answer of the server, or of ssh2 when the connection ended first. */
  answer(error: Error | undefined, stream: ChannelStream | undefined): void {
    this.#deps.onAnswered();
    if (!stream) {
      this.#fail((error && explainOpenFailure(this.#target, error, this.#deps.server)) ?? this.#deps.gone());
      this.#finish();
      return;
    }
    this.#stream = stream;
    this.#deps.onOpened(stream);
    stream.on('error', () => {});
    stream.once('close', () => this.#finish());
    // A forwarded stream has no stderr data, but an unread stderr would block its window.
    if ('stderr' in stream) stream.stderr.on('error', () => {}).resume();
    if (this.#over) this.#close();
    this.#waiting?.onOpened(stream);
  }

  /**
   * Waits at most `timeoutMs` for the answer: the server's own connect to a silent address takes minutes. If the peer was
   * silent meanwhile, the time begins again once, because the target got less of it.
   */
  opened(timeoutMs: number, signal: Signal): Promise<Channel> {
    return new Promise((resolve, reject) => {
      const abandon = (error: unknown) => {
        this.#close();
        stopWaiting();
        reject(error);
        // A missing answer must not keep a draining session alive.
        if (!this.#stream) this.#finish();
      };
      const onAbort = () => abandon(signal.reason);
      const stopWaiting = () => {
        this.#waiting = undefined;
        timer.end();
        signal.removeEventListener('abort', onAbort);
      };
      const sentAt = performance.now();
      let extended = false;
      const timer = new DeadlineTimer(timeoutMs, () => {
        const deaf = this.#deps.deaf();
        const lostMs = this.#deps.answeringSince() - sentAt;
        if (!deaf && !extended && lostMs > 0) {
          extended = true;
          return timer.restart(Math.min(timeoutMs, lostMs));
        }
        const message = `${formatAddress(this.#target)} did not answer within ${timeoutMs} ms`;
        const cause = new DOMException('no answer', 'TimeoutError');
        abandon(deaf ?? new TunnelError('target_unreachable', message, { cause }));
      });
      signal.addEventListener('abort', onAbort, { once: true });
      if (signal.aborted) onAbort();
      else this.#wait(stopWaiting, resolve, reject);
    });
  }

  #wait(stopWaiting: () => void, resolve: (channel: Channel) => void, reject: (error: TunnelError) => void): void {
    const onOpened = (stream: ChannelStream) => {
      stopWaiting();
      resolve(this.#handle(stream));
    };
    const onFailed = (error: TunnelError) => {
      stopWaiting();
      reject(error);
    };
    this.#waiting = { onOpened, onFailed };
    // The answer may be here already.
    if (this.#failure) onFailed(this.#failure);
    else if (this.#stream) onOpened(this.#stream);
  }

  #fail(error: TunnelError): void {
    this.#failure ??= error;
    this.#waiting?.onFailed(this.#failure);
  }

  /** The server requested the channel, and we have confirmed it. */
  confirmed(stream: ChannelStream): Channel {
    this.answer(undefined, stream);
    return this.#handle(stream);
  }

  /** The server requested the channel, and we have refused it. */
  declined(): void {
    this.#finish();
  }

  /** The session ended. Called before ssh2 ends the stream. */
  lose(): void {
    if (this.#over) return;
    this.#fail(this.#deps.gone());
    this.#onLost?.(this.#complete());
    this.#finish();
  }

  #handle(stream: Duplex): Channel {
    return {
      stream,
      copiesWrites: stream instanceof ForwardStream,
      onLost: (callback) => {
        this.#onLost = callback;
        if (this.#over) callback(this.#complete());
      },
      close: () => this.#close(),
    };
  }

  #complete(): boolean {
    const stream = this.#stream;
    if (stream === undefined) return false;
    return stream instanceof ForwardStream ? stream.peerEnded : hasEnded(stream);
  }

  #close(): void {
    const stream = this.#stream;
    if (!stream) return;
    stream.unpipe();
    stream.close();
    // ssh2 reports the close only after the end of the readable side, so the rest must be read.
    stream.resume();
  }

  #finish(): void {
    if (this.#over) return;
    this.#over = true;
    this.#deps.onClosed();
  }
}
