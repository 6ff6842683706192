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
  /** Sessions that the listener may use now, best first. */
  sessions(): readonly FarSession[];
  onConnection(incoming: IncomingConnection): void;
  /** Proves that the granted listener is ours. */
  prove(session: FarSession, signal: AbortSignal): Promise<Proof>;
  onChange(): void;
  /** The server listens. `gapSeconds`: how long it did not; undefined the first time. */
  onBound(gapSeconds: number | undefined): void;
  /** Uniform in [0, 1). */
  random(): number;
}

interface Bound extends Place {
  /** Undefined while the proof runs. */
  proof: Proof | undefined;
  /** Proven until it moved here: counts as proven for the few seconds of the new proof. */
  readonly wasProven: boolean;
}

/** Where the listener should move: nowhere while its session is one of the candidates. Pure. */
export function nextPlace(at: FarSession | undefined, candidates: readonly FarSession[]): FarSession | undefined {
  if (at !== undefined && candidates.includes(at)) return undefined;
  return candidates[0];
}

/**
 * The only owner of one far-side listener. The listener is on one session at a time, because a server grants an address
 * once. When that session is lost, the holder binds on another; when the session is being replaced, it moves the
 * listener by cancel and bind. One loop does all this, one step at a time.
 */
export class FarHolder {
  readonly #options: FarHolderOptions;
  readonly #deps: FarHolderDependencies;
  readonly #stop = new AbortController();
  #bound: Bound | undefined;
  #error: TunnelError | undefined;
  #failures = 0;
  /** Proofs in a row that found nobody at the granted address. */
  #absences = 0;
  /** Since when the lost listener is missing; monotonic milliseconds. */
  #gapSince: number | undefined;
  /** When a session was lost that may still hold the address; undefined once the address is ours or free again. */
  #lostAt: number | undefined;
  /** Nothing answered at the address after the last refusal, so the next refusal is about us. */
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
    const { proof, wasProven } = this.#bound;
    if (proof === undefined) return wasProven ? { kind: 'serving' } : { kind: 'unverified', error: undefined };
    return proof.kind === 'proven' ? { kind: 'serving' } : { kind: 'unverified', error: proof.error };
  }

  /** The session that the listener is on, once that is proven. */
  get provenOn(): FarSession | undefined {
    return this.#bound?.proof?.kind === 'proven' ? this.#bound.session : undefined;
  }

  /** Settles when the first request to listen is answered, or no session is up. */
  async start(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#loop ??= this.#run(this.#stop.signal, resolve).then(resolve);
    });
  }

  /** The sessions may have changed. */
  sessionsChanged(): void {
    const now = this.#deps.sessions();
    const same = now.length === this.#seen.length && now.every((session) => this.#seen.includes(session));
    if (!same) this.#wake.abort();
  }

  /** An operator changed something: a refused address is requested again at once. */
  retry(): void {
    if (this.#bound === undefined) this.#wake.abort();
  }

  /** Ends the holder for good, and the listener with it. */
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

  /**
   * Brings the listener one step closer to its session. Returns the pause before the next step; undefined: none needed.
   */
  async #step(signal: AbortSignal): Promise<number | undefined> {
    const bound = this.#bound;
    if (bound?.proof?.kind === 'wrong') {
      await this.#giveUp(bound, true);
      this.#failed(bound.proof.error, false);
      // Only another session can succeed: see THEN_RELOAD.
      return undefined;
    }
    if (bound?.proof?.kind === 'absent') return this.#askAgain(bound, bound.proof.error);
    const place = nextPlace(bound?.session, this.#seen);
    if (place === undefined) {
      if (bound === undefined) this.#error = undefined;
      // The session is not lost, but the listener must leave it.
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
    // After a failed move the address is still ours: no other holder to look for.
    if (error.code !== 'remote_listen_denied' || this.#bound) return this.#failed(error, false);
    const { listen, host } = this.#options;
    const found = await look(session, listen, signal);
    const freed = found === 'refused' && !this.#seenFree;
    this.#seenFree = found === 'refused';
    // The address is free: the session that we lost no longer holds it.
    if (this.#seenFree) this.#lostAt = undefined;
    // A dying process closes its connection before its listener: the holder of the address may just have released it.
    if (freed) return OVERTAKEN_MS;
    const lostMs = this.#lostAt === undefined ? undefined : performance.now() - this.#lostAt;
    const refusal = { listen, host, look: found, lostMs, endGhosts: session.fix?.('ghost'), cause: error };
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
    const failed = await move(from, to, signal, () => this.#adopt(to, from.proof?.kind === 'proven'));
    if (failed === undefined) return;
    const { error, back } = failed;
    this.#lostAt = failed.lostAt ?? this.#lostAt;
    if (back === undefined && this.#bound === from) {
      // The proof still holds: the session is the same.
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

  #adopt(place: Place, wasProven = false): void {
    const bound: Bound = { ...place, proof: undefined, wasProven };
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
      if (proof.kind === 'proven') this.#absences = 0;
      if (proof.kind === 'wrong' || proof.kind === 'absent') this.#wake.abort();
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

  /** Nobody listens at the granted address: takes the listener back, and asks for the address again. */
  async #askAgain(bound: Bound, error: TunnelError): Promise<number | undefined> {
    const freed = await this.#giveUp(bound);
    const delayMs = this.#failed(error, false);
    // A server that keeps the listener elsewhere grants the address only to another session, which is on its way.
    if (!freed) return undefined;
    return this.#absences++ === 0 ? OVERTAKEN_MS : delayMs;
  }

  async #giveUp(bound: Bound, useless = false): Promise<boolean> {
    this.#bound = undefined;
    this.#gapSince = undefined;
    const freed = await bound.listener.cancel(useless);
    bound.listener.release();
    return freed;
  }

  async #leave(bound: Bound): Promise<void> {
    await this.#giveUp(bound);
    this.#gapSince = performance.now();
    this.#deps.onChange();
  }
}
