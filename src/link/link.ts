import type { Address, TcpAddress } from '../address.ts';
import { sleep } from '../async/sleep.ts';
import type { ActorConfig, HostConfig } from '../config/config.ts';
import { TunnelError } from '../errors.ts';
import type { Channel, ChannelSource, Originator } from '../forward/channel-source.ts';
import type { LinkState, LinkStatus } from '../health/status.ts';
import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { type Activity, nextAttemptAt, stateWithoutSession } from './activity.ts';
import { demandedDelayMs, isCredentialRejection, retryDelayMs, STABLE_MS } from './backoff.ts';
import { Carriers } from './carriers.ts';
import { chooseCarrier, chooseSession, currentSessions, unwantedSessions } from './choose.ts';
import { describeLink } from './describe.ts';
import { HedgeBudget } from './hedge.ts';
import { type Carrier, type JumpLink, strandedError } from './jump.ts';
import { openOn } from './open.ts';
import type { Pacer } from './pacer.ts';
import { findRoute } from './route.ts';
import type { CredentialFacts, Held, Prepare } from './session.ts';
import { Waiters } from './waiters.ts';

export interface LinkOptions {
  readonly host: HostConfig;
  readonly actor: ActorConfig;
  /** The link that this one's sessions run over; undefined for a host that is dialled directly. */
  readonly jump?: JumpLink | undefined;
}

export interface LinkDependencies {
  readonly prepare: Prepare;
  /** Shared by all links to this host. */
  readonly pacer: Pacer;
  readonly metrics: Pick<
    Metrics,
    'linkConnectAttempts' | 'linkDetectSeconds' | 'linkRecoverSeconds' | 'linkHedgedOpens'
  >;
  readonly log: Logger;
  /** Uniform in [0, 1). */
  random(): number;
  /** Readiness, state or the reason behind it has changed. */
  onChange(): void;
}

/** The same credential is not offered again sooner after the server has rejected it. */
const REJECTED_RETRY_MS = 60_000;

/**
 * Keeps `host.sessions` SSH sessions up, for ever, and hands out their channels. One loop makes one attempt at a time:
 * so sessions are staggered, one of them probes for all while the host is away, and a rejected credential is offered once.
 */
export class Link implements ChannelSource, JumpLink {
  readonly #deps: LinkDependencies;
  readonly #waiters = new Waiters();
  readonly #stop = new AbortController();
  readonly #hedges = new HedgeBudget();
  readonly #carriers = new Carriers();
  #host: HostConfig;
  #actor: ActorConfig;
  #jump: JumpLink | undefined;
  #generation = 1;
  #held: readonly Held[] = [];
  #lastId = 0;
  #failures = 0;
  #lastError: TunnelError | undefined;
  #credential: CredentialFacts | undefined;
  #rejected: { readonly fingerprint: string | undefined; readonly at: number } | undefined;
  #activity: Activity = { kind: 'idle' };
  #downSince: number | undefined;
  #wake = new AbortController();
  #loop: Promise<void> | undefined;

  constructor(options: LinkOptions, deps: LinkDependencies) {
    this.#host = options.host;
    this.#actor = options.actor;
    this.#jump = options.jump;
    this.#deps = deps;
    this.#stop.signal.addEventListener('abort', () => this.#wake.abort(), { once: true });
  }

  start(): void {
    this.#loop ??= this.#run(this.#stop.signal);
  }

  get hostName(): string {
    return this.#host.name;
  }

  get ready(): boolean {
    return chooseSession(this.#held, this.#generation) !== undefined;
  }

  get state(): LinkState {
    return this.ready ? 'up' : stateWithoutSession(this.#activity, this.#lastError);
  }

  get lastError(): TunnelError | undefined {
    return this.#activity.kind === 'stranded' ? this.#activity.error : this.#lastError;
  }

  get nextAttemptAt(): Date | undefined {
    return nextAttemptAt(this.#activity, performance.now());
  }

  /** Channels open on any session. */
  get channels(): number {
    return this.#held.reduce((sum, { session }) => sum + session.channels, 0);
  }

  whenReady(signal: AbortSignal): Promise<void> {
    if (this.ready) return Promise.resolve();
    const ready = this.#waiters.wait(signal);
    // Somebody waits: the pause under way may be longer than a waiting client should see.
    if (this.#activity.kind === 'waiting') this.#wake.abort();
    if (this.#activity.kind === 'stranded') this.#jump?.whenReady(signal).catch(() => {});
    return ready;
  }

  async open(target: Address, originator: Originator, signal: AbortSignal): Promise<Channel> {
    const first = chooseSession(this.#held, this.#generation);
    return (await this.#open(first, target, originator, signal)).channel;
  }

  async carry(target: TcpAddress, signal: AbortSignal): Promise<Carrier> {
    const first = chooseCarrier(this.#held, this.#generation, (held) => this.#carriers.on(held));
    const { channel, held } = await this.#open(first, target, { address: '127.0.0.1', port: 0 }, signal);
    return this.#carriers.add(channel, held, () => !this.#held.includes(held) || this.#unwanted().includes(held));
  }

  #open(first: Held | undefined, target: Address, originator: Originator, signal: AbortSignal) {
    if (!first)
      throw this.lastError ?? new TunnelError('connection_reset', `there is no SSH session to ${this.#host.name}`);
    const others = () => this.#held.filter((held) => held !== first);
    const labels = { host: this.#host.name, actor: this.#actor.name };
    const deps = {
      budget: this.#hedges,
      other: () => chooseSession(others(), this.#generation),
      onRaced: (winner: 'first' | 'second') =>
        this.#deps.metrics.linkHedgedOpens.inc({ ...labels, result: winner === 'second' ? 'won' : 'lost' }),
    };
    return openOn(first, target, originator, deps, signal);
  }

  /** Something behind this link did not answer: every session is asked for a sign of life at once. */
  check(): void {
    for (const { session } of this.#held) session.check();
  }

  /** Tries again without waiting: somebody has changed something. A credential just rejected still waits for its minute. */
  kick(): void {
    if (this.#activity.kind !== 'waiting') return;
    this.#activity = { ...this.#activity, delayMs: 0 };
    this.#wake.abort();
  }

  /** New settings. With `replace`, new sessions are made first; the present ones then end with their last connection. */
  reconfigure(options: LinkOptions, replace: boolean): void {
    this.#host = options.host;
    this.#actor = options.actor;
    this.#jump = options.jump;
    if (this.#activity.kind === 'stranded') this.#activity = { kind: 'idle' };
    if (replace) {
      this.#generation++;
      this.#failures = 0;
    }
    this.#shed();
    this.kick();
    this.#wake.abort();
    this.#deps.onChange();
  }

  /** The link to the jump host has come up or gone down, or sessions of it are on their way out. */
  jumpChanged(): void {
    if (this.#activity.kind === 'stranded') {
      if (this.#jump?.ready !== false) this.#activity = { kind: 'idle' };
      else if (this.#jump.lastError !== this.#activity.error?.cause) this.#strand(this.#jump);
    }
    this.#shed();
    this.#wake.abort();
    this.#deps.onChange();
  }

  /** Ends the loop and every session. */
  async stop(): Promise<void> {
    this.#stop.abort(new TunnelError('connection_reset', `the link to ${this.#host.name} is stopping`));
    await this.#loop;
    await Promise.all(this.#held.map(({ session }) => session.end()));
  }

  status(): LinkStatus {
    return describeLink({
      host: this.#host.name,
      actor: this.#actor,
      state: this.state,
      failures: this.#failures,
      nextAttemptAt: this.nextAttemptAt,
      lastError: this.lastError,
      credential: this.#credential,
      held: this.#held,
      active: chooseSession(this.#held, this.#generation),
      generation: this.#generation,
    });
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if (currentSessions(this.#held, this.#generation).length >= this.#host.sessions) {
        await this.#pause(undefined);
        continue;
      }
      if (this.#isStranded()) await this.#pause(undefined);
      else if (await this.#waitForTurn(signal)) await this.#attempt(signal);
    }
  }

  /** Whether the jump host's link has to come up first. */
  #isStranded(): boolean {
    const jump = this.#jump;
    if (!jump || jump.ready) return false;
    if (this.#activity.kind === 'stranded') return true;
    this.#strand(jump);
    const fields = { event: 'link.stranded', jump: jump.hostName, err: this.lastError };
    this.#deps.log.info(fields, `waiting for the link to jump host ${jump.hostName}`);
    for (const waiting of this.#waiters.signals()) jump.whenReady(waiting).catch(() => {});
    this.#deps.onChange();
    return true;
  }

  #strand(jump: JumpLink): void {
    this.#activity = { kind: 'stranded', jump, error: jump.lastError && strandedError(jump) };
  }

  /** Whether the loop may attempt now; false when it was woken to look again. */
  async #waitForTurn(signal: AbortSignal): Promise<boolean> {
    if (this.#activity.kind === 'waiting') {
      const { since, delayMs } = this.#activity;
      const demanded = this.#waiters.size > 0 && !this.ready;
      const effective = demanded ? demandedDelayMs(delayMs, this.#lastError, this.#deps.random()) : delayMs;
      const remaining = since + effective - performance.now();
      if (remaining > 0) {
        await this.#pause(remaining);
        return false;
      }
    }
    try {
      await this.#deps.pacer.turn(signal);
      return true;
    } catch {
      return false;
    }
  }

  /** Sleeps until woken, or for `ms`. */
  async #pause(ms: number | undefined): Promise<void> {
    if (!this.#wake.signal.aborted) await sleep(ms ?? 2 ** 31 - 1, this.#wake.signal).catch(() => {});
    if (this.#wake.signal.aborted && !this.#stop.signal.aborted) this.#wake = new AbortController();
  }

  async #attempt(signal: AbortSignal): Promise<void> {
    const { host, actor } = { host: this.#host, actor: this.#actor };
    const generation = this.#generation;
    const labels = { host: host.name, actor: actor.name };
    this.#activity = { kind: 'connecting' };
    this.#deps.onChange();
    try {
      const attempt = await this.#deps.prepare(host, actor);
      signal.throwIfAborted();
      this.#credential = attempt.credential;
      const waitMs = this.#rejectedFor(attempt.credential);
      if (waitMs > 0) {
        this.#wait(waitMs);
        this.#deps.onChange();
        return;
      }
      const route = await findRoute(host, this.#jump, this.#held, signal);
      const session = await attempt.connect(signal, route);
      this.#deps.metrics.linkConnectAttempts.inc({ ...labels, code: 'ok' });
      const carrier = route.kind === 'jump' ? route.carrier : undefined;
      this.#add({ id: ++this.#lastId, generation, credential: attempt.credential, session, carrier });
    } catch (thrown) {
      if (signal.aborted) return;
      const error = TunnelError.from(thrown);
      this.#deps.metrics.linkConnectAttempts.inc({ ...labels, code: error.code });
      this.#fail(error);
    }
  }

  /** How much longer the credential may not be offered, because the server has just rejected it; milliseconds. */
  #rejectedFor(credential: CredentialFacts): number {
    if (!this.#rejected || this.#rejected.fingerprint !== credential.fingerprint) return 0;
    return Math.max(0, this.#rejected.at + REJECTED_RETRY_MS - performance.now());
  }

  #add(held: Held): void {
    this.#held = [...this.#held, held];
    this.#activity = { kind: 'idle' };
    this.#rejected = undefined;
    if (this.#downSince !== undefined) {
      const seconds = (performance.now() - this.#downSince) / 1000;
      this.#deps.metrics.linkRecoverSeconds.observe({ host: this.#host.name, actor: this.#actor.name }, seconds);
      this.#downSince = undefined;
    }
    const { server, hostKey, kex, cipher } = held.session.facts;
    this.#deps.log.info(
      {
        event: 'session.up',
        session: held.id,
        server,
        host_key: hostKey,
        kex,
        cipher,
        credential: held.credential.type,
      },
      'SSH session up',
    );
    const upSince = performance.now();
    void held.session.closed.then(({ error, silentMs }) =>
      this.#remove(held, error, silentMs, performance.now() - upSince),
    );
    this.#shed();
    this.#waiters.release();
    this.#deps.onChange();
  }

  #remove(held: Held, error: TunnelError | undefined, silentMs: number, lastedMs: number): void {
    const wasLast = this.#held.length === 1;
    this.#held = this.#held.filter((other) => other !== held);
    if (this.#stop.signal.aborted) return;
    if (error) {
      if (error.code === 'keepalive_lost') held.carrier?.check();
      if (lastedMs >= STABLE_MS) this.#failures = 0;
      this.#lastError = error;
      this.#deps.metrics.linkDetectSeconds.observe({ host: this.#host.name, actor: this.#actor.name }, silentMs / 1000);
      if (wasLast) this.#downSince ??= performance.now() - silentMs;
      this.#deps.log.warn({ event: 'session.lost', session: held.id, err: error }, error.message);
      this.#wait(retryDelayMs(this.#failures, undefined, this.#deps.random()));
      this.#failures++;
    } else {
      this.#deps.log.info({ event: 'session.ended', session: held.id }, 'SSH session ended');
    }
    this.#wake.abort();
    this.#deps.onChange();
  }

  #fail(error: TunnelError): void {
    if (isCredentialRejection(error))
      this.#rejected = { fingerprint: this.#credential?.fingerprint, at: performance.now() };
    const news = this.#lastError?.code !== error.code || this.#failures === 0;
    this.#lastError = error;
    const delayMs = retryDelayMs(this.#failures, error, this.#deps.random());
    this.#failures++;
    const details = {
      event: 'link.attempt_failed',
      attempt: this.#failures,
      retry_in_ms: Math.round(delayMs),
      err: error,
    };
    // One line when the reason changes; the retries that only repeat it are for debugging.
    if (news) this.#deps.log.warn(details, error.message);
    else this.#deps.log.debug(details, error.message);
    this.#wait(delayMs);
    this.#deps.onChange();
  }

  #wait(delayMs: number): void {
    this.#activity = { kind: 'waiting', since: performance.now(), delayMs };
  }

  #shed(): void {
    for (const { session } of this.#unwanted()) session.drain();
  }

  #unwanted(): readonly Held[] {
    return unwantedSessions(this.#held, this.#generation, this.#host.sessions);
  }
}
