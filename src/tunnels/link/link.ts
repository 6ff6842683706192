import { isDeepStrictEqual } from 'node:util';
import { abortable } from '../../base/async/deadline.ts';
import type { Signal } from '../../base/async/signal.ts';
import { Waiters } from '../../base/async/waiters.ts';
import { TunnelError } from '../../base/errors.ts';
import type { Address, TcpAddress } from '../../base/net/address.ts';
import type { CredentialStatus, LinkState, LinkStatus } from '../../telemetry/status/status.ts';
import type { Channel, ChannelSource, Originator } from '../channel/channel-source.ts';
import type { FarSession } from '../channel/far-side.ts';
import type { SessionEnd } from '../ssh/session.ts';
import { AttemptLoop } from './attempt-loop.ts';
import { Channels } from './channels.ts';
import { describeLink } from './describe.ts';
import { IdleLimit, renewEnding } from './idle-limit.ts';
import type { Carrier, JumpLink } from './jump.ts';
import { endOverdue } from './lifetime.ts';
import { isInvalid, LoginTest } from './login-test.ts';
import { LinkNews } from './news.ts';
import type { LinkDependencies, LinkOptions } from './options.ts';
import { Outcomes } from './outcomes.ts';
import { Replacement } from './replacement.ts';
import { Retry } from './retry.ts';
import { Roster } from './roster.ts';
import type { Held } from './session.ts';

/** The disconnect message of a session that is cut must leave within this time, in milliseconds. */
const CUT_MS = 50;

/** Keeps `host.sessions` SSH sessions up, which its {@link AttemptLoop} makes, and opens channels on them. */
export class Link implements ChannelSource, JumpLink {
  readonly #deps: LinkDependencies;
  readonly #news: LinkNews;
  readonly #waiting = new Waiters();
  readonly #stop = new AbortController();
  readonly #roster = new Roster();
  readonly #channels: Channels;
  readonly #outcomes = new Outcomes();
  readonly #replacement = new Replacement();
  readonly #idleLimit = new IdleLimit();
  readonly #loginTest: LoginTest;
  readonly #retry: Retry;
  readonly #loop: AttemptLoop;
  #options: LinkOptions;

  constructor(options: LinkOptions, deps: LinkDependencies) {
    this.#options = options;
    this.#deps = deps;
    this.#news = new LinkNews({ host: options.host.name, actor: options.actor.name }, deps);
    this.#channels = new Channels(this.#roster, {
      waitMs: () => this.#options.host.connectTimeoutMs,
      absence: () =>
        this.lastError ?? new TunnelError('connection_reset', `no SSH session to ${this.#options.host.name} is up`),
      onRaced: (winner) => this.#news.hedged(winner),
      onSilence: () => this.#loop.demand(),
    });
    this.#retry = new Retry(deps.random);
    this.#loginTest = new LoginTest(deps.random, performance.now());
    this.#loop = new AttemptLoop(
      {
        roster: this.#roster,
        retry: this.#retry,
        outcomes: this.#outcomes,
        idleLimit: this.#idleLimit,
        loginTest: this.#loginTest,
        news: this.#news,
        waiting: this.#waiting,
        options: () => this.#options,
        ready: () => this.ready,
        onUp: (held) => this.#add(held),
        onChange: () => {
          this.#updateReplacement(new Date());
          deps.onChange();
        },
      },
      deps,
    );
  }

  start(): void {
    this.#replacement.update(this.#roster, this.#options.host.sessions, new Date());
    this.#loop.start(this.#stop.signal);
  }

  get hostName(): string {
    return this.#options.host.name;
  }

  get actorName(): string {
    return this.#options.actor.name;
  }

  get ready(): boolean {
    return this.#roster.choose() !== undefined;
  }

  get state(): LinkState {
    return this.ready && !this.#retry.flashing ? 'up' : this.#retry.state;
  }

  get lastError(): TunnelError | undefined {
    return this.#retry.lastError;
  }

  /** Why the serving session uses a fallback credential; undefined when it does not. */
  get fallbackReason(): TunnelError | undefined {
    return this.#roster.choose()?.facts.standIn;
  }

  get nextAttemptAt(): Date | undefined {
    return this.#retry.nextAttemptAt;
  }

  /** Channels open on any session. */
  get channels(): number {
    return this.#channels.count;
  }

  /** Sessions that a far-side listener may use, best first; `onChange` is called when sessions come and go. */
  get farSessions(): readonly FarSession[] {
    return this.#roster.homes.map(({ session }) => session);
  }

  whenReady(signal: Signal): Promise<void> {
    if (this.ready) return Promise.resolve();
    const woken = this.#waiting.wait(signal);
    // The current pause may be longer than a waiting client should wait.
    const { activity } = this.#retry;
    if (activity.kind === 'waiting') this.#loop.wake();
    if (activity.kind === 'stranded') activity.jump.whenReady(signal).catch(() => {});
    return woken;
  }

  whenAnswering(signal: Signal): Promise<void> | undefined {
    const { session } = this.#roster.choose() ?? {};
    // A round trip is the time of an answer.
    return session?.answered && session.rttMs === undefined ? abortable(session.answered, signal) : undefined;
  }

  open(target: Address, originator: Originator, signal: Signal): Promise<Channel> {
    return this.#channels.open(target, originator, signal);
  }

  carry(target: TcpAddress, signal: Signal): Promise<Carrier> {
    return this.#channels.carry(target, signal);
  }

  /** A target behind this link did not answer: asks every session for a sign of life at once. */
  check(): void {
    for (const { session } of this.#roster.all) session.check();
  }

  /** Retries at once, after a change by an operator. A rejected credential still waits for its minute. */
  kick(): void {
    if (this.#retry.skip()) this.#loop.wake();
  }

  /** Applies new settings. With `replace`, new sessions come up first; each old one then ends with its last connection. */
  reconfigure(options: LinkOptions, replace: boolean): void {
    const same =
      isDeepStrictEqual([this.#options.host, this.#options.actor], [options.host, options.actor]) &&
      this.#options.jump === options.jump;
    this.#options = options;
    if (this.#retry.activity.kind === 'stranded') this.#retry.rest();
    if (replace) {
      this.#roster.nextGeneration();
      if (same) this.#retry.startOver();
      else this.#retry.forget();
      this.#outcomes.firstLogin.begin();
      this.#loop.outdate();
    }
    this.#shed();
    this.#retry.skip();
    this.#changed();
  }

  /** A newer credential exists: replaces the sessions of older ones, one by one, each by a proven session. */
  supersede(version: number): void {
    this.#roster.supersede(version);
    if (this.#roster.superseded.length > 0) {
      this.#outcomes.rotation.begin(performance.now());
      this.#retry.startOver();
      this.#shed();
    } else if (this.#roster.current.length === 0) {
      this.#outcomes.rotation.begin(undefined);
    }
    this.#retry.skip();
    this.#changed();
  }

  /** The next login may fail: tests the login, also if no session is missing. */
  testLogin(): void {
    this.#loginTest.begin();
    this.#loop.wake();
  }

  /**
   * The next login may end differently from the last one. Tests the login as soon as that may cut no connection, and
   * returns whether this is now: then {@link firstLogin} has the outcome.
   */
  retestLogin(): boolean {
    this.#loginTest.hasten(performance.now());
    if (!this.#mayTest(this.#credential.renewal?.state)) return false;
    this.#outcomes.firstLogin.begin();
    this.testLogin();
    this.kick();
    return true;
  }

  /** Whether no login has succeeded since the last {@link retestLogin}. */
  get retesting(): boolean {
    return this.#loginTest.hastened;
  }

  /** Settles when only the new credential serves, or with the error of the first failed attempt. */
  rotated(signal: AbortSignal): Promise<TunnelError | undefined> {
    return this.#outcomes.rotation.outcome(signal);
  }

  /** Settles when the first session with the new settings is up, or with the error of the first failed attempt. */
  firstLogin(signal: AbortSignal): Promise<TunnelError | undefined> {
    return this.#outcomes.firstLogin.outcome(signal);
  }

  /**
   * Once a second: takes sessions out of service whose certificate expired or whose time after replacement is over. A
   * suspect session may answer again, so that the session in its place is no longer needed.
   */
  tick(now: Date): void {
    if (this.#roster.current.length > this.#options.host.sessions) this.#shed();
    // The jump host's link announces no carrier that must move.
    if (this.#roster.current.length < this.#options.host.sessions) this.#loop.wake();
    const overdue = endOverdue(this.#roster, this.#options.actor, now, this.#deps.log);
    if (overdue && !this.ready) this.#retry.servesNoLonger(overdue);
    if (overdue || this.#retry.settles(this.ready)) this.#changed();
    if (renewEnding(this.#roster, this.#idleLimit)) this.#changed();
    const renewal = this.#credential.renewal?.state;
    if (this.#mayTest(renewal) && this.#loginTest.look(performance.now(), renewal)) this.#loop.wake();
    this.#updateReplacement(now);
  }

  /** The link to the jump host came up or went down, or its sessions were replaced. */
  jumpChanged(): void {
    this.#retry.jumpChanged();
    this.#outcomes.follow(this.#retry.activity);
    this.#shed();
    this.#changed();
  }

  /** Ends every session without waiting for its peer, and all attempts. Call {@link stop} afterwards. */
  cut(): void {
    this.#stop.abort(new TunnelError('connection_reset', `the link to ${this.#options.host.name} is cut`));
    for (const { session } of this.#roster.all) void session.end(CUT_MS);
  }

  /** Ends the loop and every session. */
  async stop(): Promise<void> {
    this.#stop.abort(new TunnelError('connection_reset', `the link to ${this.#options.host.name} is stopping`));
    await this.#loop.ended();
    await Promise.all(this.#roster.all.map(({ session }) => session.end()));
  }

  status(): LinkStatus {
    return describeLink({
      host: this.#options.host.name,
      actor: this.#options.actor,
      jump: this.#options.jump?.hostName,
      state: this.state,
      retry: this.#retry,
      sessionsWanted: this.#options.host.sessions,
      replacement: this.#replacement.status(this.#retry),
      fallbackReason: this.fallbackReason,
      credential: this.#credential,
      roster: this.#roster,
    });
  }

  get #credential(): CredentialStatus {
    return this.#deps.credential(this.#options.actor);
  }

  /** A host that allows one session may end the only one at the next login. Without a credential there is no login. */
  #mayTest(renewal: string | undefined): boolean {
    const { host, actor } = this.#options;
    return host.sessions > 1 || this.#channels.count === 0 || (isInvalid(renewal) && !actor.fallback);
  }

  #changed(): void {
    this.#loop.wake();
    this.#deps.onChange();
  }

  /** A failed test shows that lost sessions could not be replaced, before one is lost. A busy host may fail one test. */
  #updateReplacement(now: Date): void {
    const { failure, attempts } = this.#retry;
    const failed = this.#loginTest.due && failure !== undefined && (attempts > 1 || !failure.retryable);
    const missing = failed || this.#retry.unkept !== undefined;
    this.#replacement.update(this.#roster, this.#options.host.sessions + (missing ? 1 : 0), now);
  }

  /** Whether the host has just ended many new sessions: then each further one is no news. */
  get #repeated(): boolean {
    return this.#retry.unkept !== undefined || this.#retry.flashing;
  }

  #add(held: Held): void {
    this.#retry.succeeded();
    this.#loginTest.succeeded(performance.now());
    if (held.generation === this.#roster.generation) this.#outcomes.firstLogin.succeeded();
    this.#news.sessionUp(held, this.#roster.superseded[0], this.#repeated);
    const from = performance.now();
    void held.session.closed.then((end) => this.#remove(held, end, performance.now() - from));
    this.#shed();
    this.#channels.spread();
    this.#waiting.wake();
    this.#deps.onChange();
  }

  /** Ends sessions that are no longer wanted and already have a replacement. */
  #shed(): void {
    this.#roster.shed(this.#options.host.sessions, performance.now());
    const seconds = this.#outcomes.rotation.advance(this.#roster, performance.now());
    if (seconds !== undefined) this.#news.rotated(seconds);
    this.#updateReplacement(new Date());
  }

  #remove(held: Held, { error, silentMs, idleMs }: SessionEnd, lastedMs: number): void {
    const leaving = this.#roster.isLeaving(held);
    const reason = this.#roster.whyLeft(held);
    this.#roster.remove(held);
    if (this.#stop.signal.aborted) return;
    const unused = error && this.#idleLimit.explain(this.#options.host.name, held.session.facts, error, idleMs);
    if (unused) {
      this.#news.sessionEndedUnused(held, unused, this.#roster.all.length === 0);
      this.#retry.endedUnused(unused);
    } else if (error) {
      if (error.code === 'keepalive_lost') held.carrier?.check();
      const repeated = this.#repeated;
      if (!leaving) this.#retry.lost(error, lastedMs, this.ready);
      if (!this.ready) this.#retry.servesNoLonger(error);
      const reported = (this.#retry.flashing && this.lastError) || error;
      this.#news.sessionLost(held, reported, { silentMs, last: this.#roster.all.length === 0, repeated });
    } else {
      this.#news.sessionEnded(held, reason);
    }
    this.#shed();
    this.#changed();
  }
}
