import { TunnelError } from '../../base/errors.ts';
import type { Address } from '../../base/net/address.ts';
import { printable } from '../../base/text/printable.ts';
import type { Keepalive } from './keepalive.ts';
import { hostOf, type RequestOrder, type SentOpen } from './request-order.ts';

/** Called once, when the server goes on after an open, or the session is over. `quick`: before the session was suspect. */
export type OnPassed = (quick: boolean) => void;

export interface SentOpensDependencies {
  readonly order: RequestOrder;
  readonly keepalive: Pick<Keepalive, 'request' | 'heard' | 'patienceMs' | 'suspect'>;
  /** Name of the host in errors. */
  readonly peer: string;
  /** Whether the session takes new channels. */
  usable(): boolean;
}

/** What an open that is being sent needs of the others. */
export interface Sending {
  /** Why the open cannot succeed on another session either; undefined unless it has frozen the server. */
  frozen(): TunnelError | undefined;
  /** The server has answered the open. */
  onAnswered(): void;
}

const FROZEN_HINT =
  'sshd resolves names one at a time, and its resolver does not answer. Check the resolver of the host, or use an address.';

/**
 * The channel opens of one session between their departure and the moment when the server has passed them. sshd stands
 * still while it resolves the name of an open, and the order of the answers tells which open that is.
 */
export class SentOpens {
  readonly #deps: SentOpensDependencies;
  /** Opens whose caller wants to know when the server has passed them. */
  readonly #unpassed = new Map<SentOpen, () => void>();
  #closed = false;

  constructor(deps: SentOpensDependencies) {
    this.#deps = deps;
  }

  /** The host whose open has frozen the server; undefined when the server answers, or the network is the cause. */
  get frozenBy(): string | undefined {
    return this.#deps.keepalive.suspect ? this.#deps.order.atWork?.host : undefined;
  }

  /**
   * Sends an open by calling `send`, in one write with the keepalive before it.
   *
   * @param onPassed guards the open by keepalives, which prove whether the open froze the server
   */
  send<T>(target: Address, onPassed: OnPassed | undefined, send: (sending: Sending) => T): T {
    const { order, keepalive } = this.#deps;
    const guarded = onPassed !== undefined;
    if (guarded) keepalive.request(() => queueMicrotask(() => this.#askOn(open)));
    const open = order.open(hostOf(target), guarded);
    if (onPassed) this.#watch(open, onPassed);
    return send({ frozen: () => this.#frozen(open), onAnswered: () => this.#settled(open) });
  }

  /** The server has answered a request: tells about the opens that it has passed. */
  sweep(): void {
    for (const [open, tell] of this.#unpassed) {
      if (!this.#closed && !this.#deps.order.hasPassed(open)) continue;
      this.#unpassed.delete(open);
      tell();
    }
  }

  /** The session is over. */
  close(): void {
    this.#closed = true;
    this.sweep();
  }

  #watch(open: SentOpen, onPassed: OnPassed): void {
    const { keepalive, usable } = this.#deps;
    const from = performance.now();
    this.#unpassed.set(open, () => onPassed(usable() && performance.now() - from < keepalive.patienceMs));
  }

  /** The keepalive before the open has an answer: the next one comes only after the open. */
  #askOn(open: SentOpen): void {
    if (this.#deps.usable() && !this.#deps.order.hasPassed(open)) this.#deps.keepalive.request();
  }

  #settled(open: SentOpen): void {
    // ssh2 answers the open requests of a closed session itself.
    if (this.#closed) return;
    this.#deps.keepalive.heard(this.#deps.order.settled(open));
    this.sweep();
  }

  /** Not a loss of the session: another session would be frozen as well. */
  #frozen({ host }: SentOpen): TunnelError | undefined {
    if (this.frozenBy !== host) return undefined;
    const message = `${this.#deps.peer} has answered nothing since it was asked for ${printable(host, 80)}`;
    return new TunnelError('target_unreachable', message, { hint: FROZEN_HINT });
  }
}
