import { sleep } from '../../../base/async/sleep.ts';
import { TunnelError } from '../../../base/errors.ts';
import type { Address } from '../../../base/net/address.ts';
import type { FarSession, IncomingConnection } from '../../channel/far-side.ts';
import type { ForwardCondition } from '../forward.ts';
import { abandon, failureOf, move, OVERTAKEN_MS, type Place } from './move.ts';
import { look, type Proof, proveUntilKnown } from './proof.ts';
import { explainRefusal, isGhost, rebindDelayMs } from './refusal.ts';

export interface FarHolderOptions {
  readonly listen: Address;
  /** Name of the far side, for messages. */
  readonly host: string;
}

export interface FarHolderDependencies {
  /** Where the listener may live now, best first. */
  sessions(): readonly FarSession[];
  onConnection(incoming: IncomingConnection): void;
  /** Whether what the server granted is a listener of ours. */
  prove(session: FarSession, signal: AbortSignal): Promise<Proof>;
  onChange(): void;
  /** The server listens; `gapSeconds` is how long it had not, unless this is the first time. */
  onBound(gapSeconds: number | undefined): void;
  /** Uniform in [0, 1). */
  random(): number;
}

interface Bound extends Place {
  /** Undefined while the proof is under way. */
  proof: Proof | undefined;
}

/** Where the listener should go: nowhere else while it is on one of the sessions it may live on. Pure. */
export function nextPlace(at: FarSession | undefined, candidates: readonly FarSession[]): FarSession | undefined {
  if (at !== undefined && candidates.includes(at)) return undefined;
  return candidates[0];
}

/**
 * The one owner of one far-side listener. It is bound on one session at a time (a server lets no second one have it), on
 * another as soon as that one is lost, and moved by cancel and bind when its session is on the way out. One loop does all
 * of it, one step at a time.
 */
export class FarHolder {
  readonly #options: FarHolderOptions;
  readonly #deps: FarHolderDependencies;
  readonly #stop = new AbortController();
  #bound: Bound | undefined;
  #error: TunnelError | undefined;
  #failures = 0;
  /** Since when nothing listens that did before; monotonic milliseconds. */
  #gapSince: number | undefined;
  /** When a session was lost that held the address, or may have; until the address was ours or free again. */
  #lostAt: number | undefined;
  /** At the last refusal nothing answered at the address: another refusal is about us. */
  #seenFree = false;
  #seen: readonly FarSession[] = [];
  #wake = new AbortController();
  #loop: Promise<void> | undefined;

  constructor(options: FarHolderOptions, deps: FarHolderDependencies) {
    this.#options = options;
    this.#deps = deps;
  }

  get condition(): ForwardCondition {
    if (!this.#bound) return { kind: 'unbound', error: this.#error };
    const { proof } = this.#bound;
    if (proof?.kind === 'proven') return { kind: 'serving' };
    return { kind: 'unverified', error: proof?.error };
  }

  /** The session that the listener is on, once that is proven. */
  get provenOn(): FarSession | undefined {
    return this.#bound?.proof?.kind === 'proven' ? this.#bound.session : undefined;
  }

  /** Settles when the first request to listen was answered, or there is no session to make it on. */
  async start(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#loop ??= this.#run(this.#stop.signal, resolve).then(resolve);
    });
  }

  /** Sessions may have come or gone. */
  sessionsChanged(): void {
    const now = this.#deps.sessions();
    const same = now.length === this.#seen.length && now.every((session) => this.#seen.includes(session));
    if (!same) this.#wake.abort();
  }

  /** Somebody has changed something: an address that could not be had is asked for again now. */
  retry(): void {
    if (this.#bound === undefined) this.#wake.abort();
  }

  /** Ends it for good, and the listener with it. */
  async stop(): Promise<void> {
    this.#stop.abort(new TunnelError('connection_reset', 'the tunnel stops listening'));
    this.#wake.abort();
    await this.#loop;
    const bound = this.#bound;
    this.#bound = undefined;
    await bound?.listener.cancel();
    bound?.listener.release();
  }

  async #run(signal: AbortSignal, onSettled: () => void): Promise<void> {
    while (!signal.aborted) {
      this.#wake = new AbortController();
      this.#seen = this.#deps.sessions();
      const delayMs = await this.#step(signal);
      onSettled();
      if (signal.aborted) return;
      await sleep(delayMs ?? 2 ** 31 - 1, this.#wake.signal).catch(() => {});
    }
  }

  /** Makes what is the case what should be; returns after how long to try again if it is not. */
  async #step(signal: AbortSignal): Promise<number | undefined> {
    const bound = this.#bound;
    if (bound?.proof?.kind === 'wrong') {
      await this.#giveUp(bound);
      this.#failed(bound.proof.error, false);
      // Only another session can end differently: see THEN_RELOAD.
      return undefined;
    }
    const place = nextPlace(bound?.session, this.#seen);
    if (place === undefined) {
      if (bound === undefined) this.#error = undefined;
      // Its session is not lost, but nothing may live on it any more.
      else if (this.#seen.length === 0 && bound.session.usable) await this.#leave(bound);
      return undefined;
    }
    try {
      if (bound) await this.#move(bound, place, signal);
      else await this.#bindOn(place, signal);
      this.#failures = 0;
      return undefined;
    } catch (thrown) {
      if (signal.aborted) return undefined;
      return this.#explain(place, TunnelError.from(thrown), signal);
    }
  }

  async #explain(session: FarSession, error: TunnelError, signal: AbortSignal): Promise<number> {
    // After a move that failed the address is ours: nobody else is to be looked for there.
    if (error.code !== 'remote_listen_denied' || this.#bound) return this.#failed(error, false);
    const { listen, host } = this.#options;
    const found = await look(session, listen, signal);
    const freed = found === 'refused' && !this.#seenFree;
    this.#seenFree = found === 'refused';
    // Nobody holds it: whatever we lost there is gone.
    if (this.#seenFree) this.#lostAt = undefined;
    // A process that dies closes its connection before its listener: what held the address may just have let go of it.
    if (freed) return OVERTAKEN_MS;
    const lostMs = this.#lostAt === undefined ? undefined : performance.now() - this.#lostAt;
    const refusal = { listen, host, look: found, lostMs, cause: error };
    return this.#failed(explainRefusal(refusal), isGhost(refusal));
  }

  #failed(error: TunnelError, ghost: boolean): number {
    this.#error = error;
    const delayMs = rebindDelayMs(error, ghost, this.#failures, this.#deps.random());
    this.#failures++;
    this.#deps.onChange();
    return delayMs;
  }

  #placeOn(session: FarSession): Place {
    return { session, listener: session.listener(this.#options.listen, this.#deps.onConnection) };
  }

  async #bindOn(session: FarSession, signal: AbortSignal): Promise<void> {
    const place = this.#placeOn(session);
    const error = await failureOf(place.listener.bind(signal));
    if (error) {
      await this.#abandon(place, error);
      throw error;
    }
    this.#adopt(place);
  }

  async #move(from: Bound, session: FarSession, signal: AbortSignal): Promise<void> {
    const to = this.#placeOn(session);
    this.#gapSince ??= performance.now();
    const failed = await move(from, to, signal, () => this.#adopt(to));
    if (failed === undefined) return;
    const { error, back } = failed;
    this.#lostAt = failed.lostAt ?? this.#lostAt;
    if (back === undefined && this.#bound === from) {
      // As proven as it was before: the session is the same.
      this.#closeGap();
    } else {
      if (this.#bound === from) this.#bound = undefined;
      await this.#abandon(from, back ?? error);
    }
    throw error;
  }

  async #abandon(place: Place, error: TunnelError): Promise<void> {
    this.#lostAt = (await abandon(place, error)) ?? this.#lostAt;
  }

  #adopt(place: Place): void {
    const bound: Bound = { ...place, proof: undefined };
    this.#bound = bound;
    this.#error = undefined;
    this.#lostAt = undefined;
    this.#seenFree = false;
    void bound.session.closed.then(({ silentMs }) => this.#onClosed(bound, silentMs));
    this.#closeGap();
    void this.#prove(bound);
    this.#deps.onChange();
  }

  async #prove(bound: Bound): Promise<void> {
    const { signal } = this.#stop;
    const isCurrent = () => this.#bound === bound && !signal.aborted;
    const attempt = () => this.#deps.prove(bound.session, signal);
    await proveUntilKnown(attempt, isCurrent, signal, (proof) => {
      bound.proof = proof;
      if (proof.kind === 'wrong') this.#wake.abort();
      this.#deps.onChange();
    });
  }

  #closeGap(): void {
    this.#deps.onBound(this.#gapSince === undefined ? undefined : (performance.now() - this.#gapSince) / 1000);
    this.#gapSince = undefined;
  }

  #onClosed(bound: Bound, silentMs: number): void {
    bound.listener.release();
    if (this.#bound !== bound) return;
    this.#bound = undefined;
    if (this.#stop.signal.aborted) return;
    this.#gapSince ??= performance.now() - silentMs;
    this.#lostAt = performance.now();
    this.#wake.abort();
    this.#deps.onChange();
  }

  async #giveUp(bound: Bound): Promise<void> {
    this.#bound = undefined;
    this.#gapSince = undefined;
    await bound.listener.cancel();
    bound.listener.release();
  }

  async #leave(bound: Bound): Promise<void> {
    await this.#giveUp(bound);
    this.#gapSince = performance.now();
    this.#deps.onChange();
  }
}
