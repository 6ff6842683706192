import type { Address, TcpAddress } from '../address.ts';
import { Waiters } from '../async/waiters.ts';
import { Wake } from '../async/wake.ts';
import type { ActorConfig, HostConfig } from '../config/config.ts';
import { TunnelError } from '../errors.ts';
import type { Channel, ChannelSource, Originator } from '../forward/channel-source.ts';
import type { FarSession } from '../forward/far-side.ts';
import type { LinkState, LinkStatus } from '../health/status.ts';
import { type Activity, nextAttemptAt, owesWaitForLoss, stateWithoutSession, type Waiting } from './activity.ts';
import { demandedDelayMs, isCredentialRejection, isRejection, retryDelayMs, STABLE_MS } from './backoff.ts';
import { Carriers } from './carriers.ts';
import { describeLink, sessionFields } from './describe.ts';
import { HedgeBudget } from './hedge.ts';
import { type Carrier, type JumpLink, strandedError } from './jump.ts';
import { openOn } from './open.ts';
import type { LinkDependencies, LinkOptions } from './options.ts';
import { prepareInTime } from './prepare-in-time.ts';
import { Rejection } from './rejection.ts';
import { Roster } from './roster.ts';
import { findRoute } from './route.ts';
import type { CredentialFacts, Held } from './session.ts';

/** The goodbye of a session that is cut leaves within this time, in milliseconds, or not at all. */
const CUT_MS = 50;

/**
 * Keeps `host.sessions` SSH sessions up, for ever, and hands out their channels. One loop makes one attempt at a time:
 * so sessions are staggered, one of them probes for all while the host is away, and a rejected credential is offered once.
 */
export class Link implements ChannelSource, JumpLink {
  readonly #deps: LinkDependencies;
  readonly #waiting = new Waiters();
  readonly #stop = new AbortController();
  readonly #hedges = new HedgeBudget();
  readonly #roster = new Roster();
  readonly #carriers = new Carriers();
  readonly #rejection = new Rejection();
  #host: HostConfig;
  #actor: ActorConfig;
  #jump: JumpLink | undefined;
  /** What the next delay grows with: failed attempts, and sessions lost before they were stable. */
  #failures = 0;
  /** Attempts that failed since the last one that did not. */
  #attempts = 0;
  #lastError: TunnelError | undefined;
  #credential: CredentialFacts | undefined;
  #activity: Activity = { kind: 'idle' };
  #downSince: number | undefined;
  readonly #wake = new Wake();
  #loop: Promise<void> | undefined;

  constructor(options: LinkOptions, deps: LinkDependencies) {
    this.#host = options.host;
    this.#actor = options.actor;
    this.#jump = options.jump;
    this.#deps = deps;
    this.#stop.signal.addEventListener('abort', () => this.#wake.call(), { once: true });
  }

  start(): void {
    this.#loop ??= this.#run(this.#stop.signal);
  }

  get hostName(): string {
    return this.#host.name;
  }

  get ready(): boolean {
    return this.#roster.choose() !== undefined;
  }

  get state(): LinkState {
    return this.ready ? 'up' : stateWithoutSession(this.#activity);
  }

  get lastError(): TunnelError | undefined {
    return this.#activity.kind === 'stranded' ? this.#activity.error : this.#lastError;
  }

  get nextAttemptAt(): Date | undefined {
    return nextAttemptAt(this.#activity, performance.now());
  }

  /** Channels open on any session. */
  get channels(): number {
    return this.#roster.all.reduce((sum, { session }) => sum + session.channels, 0);
  }

  /** Where a listener on the far side may live, best first; `onChange` is called when sessions come and go. */
  get farSessions(): readonly FarSession[] {
    return this.#roster.homes.map(({ session }) => session);
  }

  whenReady(signal: AbortSignal): Promise<void> {
    if (this.ready) return Promise.resolve();
    const woken = this.#waiting.wait(signal);
    // Somebody waits: the pause under way may be longer than a waiting client should see.
    if (this.#activity.kind === 'waiting') this.#wake.call();
    if (this.#activity.kind === 'stranded') this.#activity.jump.whenReady(signal).catch(() => {});
    return woken;
  }

  async open(target: Address, originator: Originator, signal: AbortSignal): Promise<Channel> {
    return (await this.#open(this.#roster.choose(), target, originator, signal)).channel;
  }

  async carry(target: TcpAddress, signal: AbortSignal): Promise<Carrier> {
    const first = this.#roster.chooseCarrier((held) => this.#carriers.on(held));
    const { channel, held } = await this.#open(first, target, { address: '127.0.0.1', port: 0 }, signal);
    return this.#carriers.add(channel, held, () => this.#roster.isReplaced(held));
  }

  async #open(first: Held | undefined, target: Address, originator: Originator, signal: AbortSignal) {
    if (!first)
      throw this.lastError ?? new TunnelError('connection_reset', `there is no SSH session to ${this.#host.name}`);
    const labels = { host: this.#host.name, actor: this.#actor.name };
    const deps = {
      budget: this.#hedges,
      other: () => this.#roster.choose(first),
      onRaced: (winner: 'first' | 'second') =>
        this.#deps.metrics.linkHedgedOpens.inc({ ...labels, result: winner === 'second' ? 'won' : 'lost' }),
    };
    return openOn(first, target, originator, deps, signal);
  }

  /** Something behind this link did not answer: every session is asked for a sign of life at once. */
  check(): void {
    for (const { session } of this.#roster.all) session.check();
  }

  /** Tries again without waiting: somebody has changed something. A credential just rejected still waits for its minute. */
  kick(): void {
    if (this.#activity.kind !== 'waiting') return;
    this.#activity = { ...this.#activity, delayMs: 0 };
    this.#wake.call();
  }

  /** New settings. With `replace`, new sessions are made first; the present ones then end with their last connection. */
  reconfigure(options: LinkOptions, replace: boolean): void {
    this.#host = options.host;
    this.#actor = options.actor;
    this.#jump = options.jump;
    if (this.#activity.kind === 'stranded') this.#activity = { kind: 'idle' };
    if (replace) {
      this.#roster.nextGeneration();
      this.#failures = 0;
    }
    this.#roster.shed(this.#host.sessions);
    this.kick();
    this.#wake.call();
    this.#deps.onChange();
  }

  /** The link to the jump host has come up or gone down, or sessions of it have been replaced. */
  jumpChanged(): void {
    if (this.#activity.kind === 'stranded') {
      const { jump, error } = this.#activity;
      if (jump.ready) this.#activity = { kind: 'idle' };
      else if (jump.lastError !== error?.cause) this.#strand(jump);
    }
    this.#roster.shed(this.#host.sessions);
    this.#wake.call();
    this.#deps.onChange();
  }

  /** Ends every session without waiting for its peer; nothing new is attempted. To be followed by {@link stop}. */
  cut(): void {
    this.#stop.abort(new TunnelError('connection_reset', `the link to ${this.#host.name} is cut`));
    for (const { session } of this.#roster.all) void session.end(CUT_MS);
  }

  /** Ends the loop and every session. */
  async stop(): Promise<void> {
    this.#stop.abort(new TunnelError('connection_reset', `the link to ${this.#host.name} is stopping`));
    await this.#loop;
    await Promise.all(this.#roster.all.map(({ session }) => session.end()));
  }

  status(): LinkStatus {
    return describeLink({
      host: this.#host.name,
      actor: this.#actor,
      jump: this.#jump?.hostName,
      state: this.state,
      attempts: this.#attempts,
      nextAttemptAt: this.nextAttemptAt,
      lastError: this.lastError,
      credential: this.#credential,
      roster: this.#roster,
    });
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if (this.#roster.current.length >= this.#host.sessions) {
        this.#activity = { kind: 'idle' };
        await this.#wake.sleep();
        continue;
      }
      if (this.#isStranded()) await this.#wake.sleep();
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
    for (const waiting of this.#waiting.signals) jump.whenReady(waiting).catch(() => {});
    this.#deps.onChange();
    return true;
  }

  #strand(jump: JumpLink): void {
    this.#activity = { kind: 'stranded', jump, error: jump.lastError && strandedError(jump) };
  }

  /** Whether the loop may attempt now; false when it was woken to look again. */
  async #waitForTurn(signal: AbortSignal): Promise<boolean> {
    if (this.#activity.kind === 'waiting') {
      const { since, delayMs, because } = this.#activity;
      const demanded = this.#waiting.size > 0 && !this.ready;
      const effective = demanded ? demandedDelayMs(delayMs, because, this.#deps.random()) : delayMs;
      const remaining = since + effective - performance.now();
      if (remaining > 0) {
        await this.#wake.sleep(remaining);
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

  async #attempt(signal: AbortSignal): Promise<void> {
    const [host, actor] = [this.#host, this.#actor];
    const { generation } = this.#roster;
    const labels = { host: host.name, actor: actor.name };
    this.#activity = { kind: 'connecting', owed: undefined };
    this.#deps.onChange();
    try {
      const attempt = await prepareInTime(this.#deps.prepare, host, actor, signal);
      this.#credential = attempt.credential;
      if (this.#wasJustRejected(attempt.credential)) return;
      const route = await findRoute(host, this.#jump, this.#roster.all, signal);
      const session = await attempt.connect(signal, route);
      this.#deps.metrics.linkConnectAttempts.inc({ ...labels, code: 'ok' });
      this.#add(this.#roster.add(session, attempt.credential, generation, route));
    } catch (thrown) {
      if (signal.aborted) return;
      const error = TunnelError.from(thrown);
      this.#deps.metrics.linkConnectAttempts.inc({ ...labels, code: error.code });
      this.#fail(error);
    }
  }

  /** Whether the server has rejected this very credential less than a minute ago; waits for the rest of it then. */
  #wasJustRejected(credential: CredentialFacts): boolean {
    const rejection = this.#rejection.holds(this.#host, credential, performance.now());
    if (!rejection) return false;
    this.#lastError = rejection.error;
    this.#wait(rejection.waitMs, rejection.error, 'attempt');
    this.#deps.onChange();
    return true;
  }

  #add(held: Held): void {
    this.#activity = (this.#activity.kind === 'connecting' && this.#activity.owed) || { kind: 'idle' };
    this.#rejection.forget();
    this.#attempts = 0;
    if (this.#downSince !== undefined) {
      const labels = { host: this.#host.name, actor: this.#actor.name };
      this.#deps.metrics.linkRecoverSeconds.observe(labels, (performance.now() - this.#downSince) / 1000);
      this.#downSince = undefined;
    }
    this.#deps.log.info({ event: 'session.up', ...sessionFields(held) }, 'SSH session up');
    const upSince = performance.now();
    void held.session.closed.then(({ error, silentMs }) =>
      this.#remove(held, error, silentMs, performance.now() - upSince),
    );
    this.#roster.shed(this.#host.sessions);
    this.#waiting.wake();
    this.#deps.onChange();
  }

  #remove(held: Held, error: TunnelError | undefined, silentMs: number, lastedMs: number): void {
    const leaving = this.#roster.isLeaving(held);
    this.#roster.remove(held);
    if (this.#stop.signal.aborted) return;
    if (error) {
      if (error.code === 'keepalive_lost') held.carrier?.check();
      this.#deps.metrics.linkDetectSeconds.observe({ host: this.#host.name, actor: this.#actor.name }, silentMs / 1000);
      if (this.#roster.all.length === 0) this.#downSince ??= performance.now() - silentMs;
      this.#deps.log.warn({ event: 'session.lost', session: held.id, err: error }, error.message);
      if (!leaving) this.#retryAfterLoss(error, lastedMs);
    } else {
      this.#deps.log.info({ event: 'session.ended', session: held.id }, 'SSH session ended');
    }
    this.#wake.call();
    this.#deps.onChange();
  }

  #retryAfterLoss(error: TunnelError, lastedMs: number): void {
    const wasStable = lastedMs >= STABLE_MS;
    if (wasStable) this.#failures = 0;
    if (this.#activity.kind === 'stranded') return;
    // A wait that protects us, and the error that somebody must mend, outlive the loss of another session.
    if (this.#activity.kind === 'waiting' && isRejection(this.#activity.because)) return;
    this.#lastError = error;
    if (owesWaitForLoss(this.#activity) && !wasStable) return;
    const attempting = this.#activity.kind === 'connecting';
    const wait = this.#wait(retryDelayMs(this.#failures, undefined, this.#deps.random()), error, 'loss');
    if (attempting) this.#activity = { kind: 'connecting', owed: wait };
    this.#failures++;
  }

  #fail(error: TunnelError): void {
    if (isCredentialRejection(error)) this.#rejection.note(this.#host, this.#credential, error, performance.now());
    const news = this.#lastError?.message !== error.message || this.#attempts === 0;
    this.#lastError = error;
    const delayMs = retryDelayMs(this.#failures, error, this.#deps.random());
    this.#failures++;
    const attempt = ++this.#attempts;
    const fields = { event: 'link.attempt_failed', attempt, retry_in_ms: Math.round(delayMs), err: error };
    // One line when the reason changes; the retries that only repeat it are for debugging.
    this.#deps.log[news ? 'warn' : 'debug'](fields, error.message);
    this.#wait(delayMs, error, 'attempt');
    this.#deps.onChange();
  }

  #wait(delayMs: number, because: TunnelError, after: Waiting['after']): Waiting {
    const waiting = { kind: 'waiting', since: performance.now(), delayMs, because, after } as const;
    this.#activity = waiting;
    return waiting;
  }
}
