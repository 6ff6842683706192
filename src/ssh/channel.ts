import type { Client, ClientChannel } from 'ssh2';
import { type Address, formatAddress } from '../address.ts';
import { TunnelError } from '../errors.ts';
import type { Channel, Originator } from '../forward/channel-source.ts';
import { printable } from '../printable.ts';

interface ChannelDependencies {
  /** Why the session under the channel is gone. */
  gone(): TunnelError;
  /** The channel is closed, or was never opened: it no longer counts. */
  onClosed(): void;
}

/** SSH_MSG_CHANNEL_OPEN_FAILURE reason codes (RFC 4254 section 5.1). */
const ADMINISTRATIVELY_PROHIBITED = 1;
const CONNECT_FAILED = 2;

/** Asks the server for a channel to `target` (RFC 4254 section 7.2; OpenSSH PROTOCOL section 2.4 for Unix sockets). */
export function openDirectChannel(
  client: Client,
  target: Address,
  originator: Originator,
  deps: ChannelDependencies,
): SessionChannel {
  const channel = new SessionChannel(formatAddress(target), deps);
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
  readonly #target: string;
  readonly #deps: ChannelDependencies;
  readonly #answered: Promise<ClientChannel>;
  #settle: { resolve(stream: ClientChannel): void; reject(error: TunnelError): void } | undefined;
  #stream: ClientChannel | undefined;
  #onLost: ((complete: boolean) => void) | undefined;
  #over = false;

  constructor(target: string, deps: ChannelDependencies) {
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
      this.#settle?.reject(this.#explain(error));
      this.#finish();
      return;
    }
    this.#stream = stream;
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
        abandon(new TunnelError('target_unreachable', `${this.#target} did not answer within ${timeoutMs} ms`));
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

  /** Whether the peer's SSH_MSG_CHANNEL_EOF has arrived; ssh2 keeps it in a field that its types leave out. */
  #complete(): boolean {
    const incoming = (this.#stream as unknown as { incoming?: { state?: string } } | undefined)?.incoming;
    return incoming?.state === 'eof' || incoming?.state === 'closed';
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

  #explain(error: Error): TunnelError {
    const reason = 'reason' in error ? error.reason : undefined;
    // The server's own words: they end up on terminals.
    const said = printable(error.message.replace(/^\(SSH\) Channel open failure: /, ''), 120);
    if (reason === ADMINISTRATIVELY_PROHIBITED)
      return new TunnelError('forward_denied', `the server forbids a channel to ${this.#target}`, { cause: error });
    // The reason code tells only that the connect failed; sshd's description is strerror(3) of what happened.
    if (reason === CONNECT_FAILED && said === 'Connection refused')
      return new TunnelError('target_refused', `${this.#target} refused the connection`, { cause: error });
    if (typeof reason === 'number')
      return new TunnelError('target_unreachable', `${this.#target} is not reached from the host: ${said}`, {
        cause: error,
      });
    return this.#deps.gone();
  }
}
