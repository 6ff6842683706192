import type { Client, ClientChannel } from 'ssh2';
import { TunnelError } from '../../base/errors.ts';
import { type Address, formatAddress } from '../../base/net/address.ts';
import type { Channel, Originator } from '../channel/channel-source.ts';
import { explainOpenFailure } from './open-failure.ts';
import { hasEnded } from './ssh2-insides.ts';

export interface ChannelDependencies {
  /** Why the session under the channel is gone. */
  gone(): TunnelError;
  /** Why an open without an answer says nothing about its target: the peer answers nothing else either. */
  deaf(): TunnelError | undefined;
  /** Before anybody uses the stream. */
  onOpened(stream: ClientChannel): void;
  /** The channel is closed, or was never opened: it no longer counts. */
  onClosed(): void;
}

/** Asks the server for a channel to `target` (RFC 4254 section 7.2; OpenSSH PROTOCOL section 2.4 for Unix sockets). */
export function openDirectChannel(
  client: Client,
  target: Address,
  originator: Originator,
  deps: ChannelDependencies,
): SessionChannel {
  const channel = new SessionChannel(target, deps);
  const onAnswer = (error: Error | undefined, stream: ClientChannel) => channel.answer(error, stream);
  try {
    if (target.kind === 'unix') client.openssh_forwardOutStreamLocal(target.path, onAnswer);
    else client.forwardOut(originator.address, originator.port, target.host, target.port, onAnswer);
  } catch {
    // ssh2 throws when its socket is no longer writable; the session's close has not been seen yet.
    queueMicrotask(() => channel.lose());
  }
  return channel;
}

/**
 * One channel of a session, from its request to its close. A pending open cannot be withdrawn in SSH: if its asker has
 * gone, the channel is closed as soon as the server opens it.
 */
export class SessionChannel {
  readonly #target: Address;
  readonly #deps: ChannelDependencies;
  readonly #answered: Promise<ClientChannel>;
  #settle: { resolve(stream: ClientChannel): void; reject(error: TunnelError): void } | undefined;
  #stream: ClientChannel | undefined;
  #onLost: ((complete: boolean) => void) | undefined;
  #over = false;

  constructor(target: Address, deps: ChannelDependencies) {
    this.#target = target;
    this.#deps = deps;
    this.#answered = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    // Nobody may be listening any more when the answer comes.
    this.#answered.catch(() => {});
  }

  /** The server's answer, or that of ssh2 when the connection died first. */
  answer(error: Error | undefined, stream: ClientChannel): void {
    if (error) {
      this.#settle?.reject(explainOpenFailure(this.#target, error) ?? this.#deps.gone());
      this.#finish();
      return;
    }
    this.#stream = stream;
    this.#deps.onOpened(stream);
    stream.on('error', () => {});
    stream.once('close', () => this.#finish());
    // Every byte of a forwarded stream is on the main stream; an unread stderr would hold back its window.
    stream.stderr.on('error', () => {}).resume();
    if (this.#over) this.#close();
    this.#settle?.resolve(stream);
  }

  /** Waits for the answer at most `timeoutMs`; the server's own connect to a black hole takes minutes. */
  opened(timeoutMs: number, signal: AbortSignal): Promise<Channel> {
    return new Promise((resolve, reject) => {
      const abandon = (error: unknown) => {
        this.#close();
        stopWaiting();
        reject(error);
        // A server that never answers must not keep a draining session alive.
        if (!this.#stream) this.#finish();
      };
      const onAbort = () => abandon(signal.reason);
      const stopWaiting = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', onAbort);
      };
      const timer = setTimeout(() => {
        const message = `${formatAddress(this.#target)} did not answer within ${timeoutMs} ms`;
        const cause = new DOMException('no answer', 'TimeoutError');
        abandon(this.#deps.deaf() ?? new TunnelError('target_unreachable', message, { cause }));
      }, timeoutMs);
      signal.addEventListener('abort', onAbort, { once: true });
      if (signal.aborted) onAbort();
      this.#answered.then(
        (stream) => {
          stopWaiting();
          resolve(this.#handle(stream));
        },
        (error: unknown) => {
          stopWaiting();
          reject(error);
        },
      );
    });
  }

  /** The channel was asked for by the server and has just been confirmed. */
  confirmed(stream: ClientChannel): Channel {
    this.answer(undefined, stream);
    return this.#handle(stream);
  }

  /** The channel was asked for by the server and has just been refused. */
  declined(): void {
    this.#finish();
  }

  /** The session is gone. Called before ssh2 ends the stream. */
  lose(): void {
    if (this.#over) return;
    this.#settle?.reject(this.#deps.gone());
    this.#onLost?.(this.#complete());
    this.#finish();
  }

  #handle(stream: ClientChannel): Channel {
    return {
      stream,
      onLost: (callback) => {
        this.#onLost = callback;
        if (this.#over) callback(this.#complete());
      },
      close: () => this.#close(),
    };
  }

  #complete(): boolean {
    return this.#stream !== undefined && hasEnded(this.#stream);
  }

  #close(): void {
    const stream = this.#stream;
    if (!stream) return;
    stream.unpipe();
    stream.close();
    // ssh2 reports the close only after the end of the readable side, and that only if somebody reads.
    stream.resume();
  }

  #finish(): void {
    if (this.#over) return;
    this.#over = true;
    this.#deps.onClosed();
  }
}
