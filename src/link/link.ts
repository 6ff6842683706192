import type { Address } from '../address.ts';
import { abortable, withDeadline } from '../async/deadline.ts';
import { sleep } from '../async/sleep.ts';
import { Waiters } from '../async/waiters.ts';
import type { ActorConfig, HostConfig } from '../config/config.ts';
import { TunnelError } from '../errors.ts';
import type { Channel, ChannelSource, Originator } from '../forward/channel-source.ts';
import type { FarSession } from '../forward/far-side.ts';
import type { LinkState, LinkStatus } from '../health/status.ts';
import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { demandedDelayMs, isCredentialRejection, isRejection, retryDelayMs, STABLE_MS } from './backoff.ts';
import { describeLink } from './describe.ts';
import { HedgeBudget, openHedged, patienceMs } from './hedge.ts';
import type { Pacer } from './pacer.ts';
import { Roster } from './roster.ts';
import type { CredentialFacts, Held, Prepare } from './session.ts';

export interface LinkOptions {
  readonly host: HostConfig;
  readonly actor: ActorConfig;
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

interface Waiting {
  readonly kind: 'waiting';
  readonly since: number;
  readonly delayMs: number;
  readonly because: TunnelError;
}

/** What the one loop is doing. A session lost during an attempt owes a wait that even the attempt's success does not waive. */
type Activity =
  | { readonly kind: 'idle' }
  | { readonly kind: 'connecting'; readonly owed: Waiting | undefined }
  | Waiting;

/** The same credential is not offered again sooner after the server has rejected it. */
const REJECTED_RETRY_MS = 60_000;

/**
 * Keeps `host.sessions` SSH sessions up, for ever, and hands out their channels. One loop makes one attempt at a time:
 * so sessions are staggered, one of them probes for all while the host is away, and a rejected credential is offered once.
 */
export class Link implements ChannelSource {
  readonly #deps: LinkDependencies;
  readonly #waiting = new Waiters();
  readonly #stop = new AbortController();
  readonly #hedges = new HedgeBudget();
  #host: HostConfig;
  #actor: ActorConfig;
  readonly #roster = new Roster();
  #failures = 0;
  #lastError: TunnelError | undefined;
  #credential: CredentialFacts | undefined;
  #rejected: { readonly fingerprint: string | undefined; readonly at: number; readonly error: TunnelError } | undefined;
  #activity: Activity = { kind: 'idle' };
  #downSince: number | undefined;
  #wake = new AbortController();
  #loop: Promise<void> | undefined;

  constructor(options: LinkOptions, deps: LinkDependencies) {
    this.#host = options.host;
    this.#actor = options.actor;
    this.#deps = deps;
    this.#stop.signal.addEventListener('abort', () => this.#wake.abort(), { once: true });
  }

  start(): void {
    this.#loop ??= this.#run(this.#stop.signal);
  }

  get ready(): boolean {
    return this.#roster.choose() !== undefined;
  }

  get state(): LinkState {
    if (this.ready) return 'up';
    if (this.#activity.kind === 'waiting') return this.#activity.because.retryable ? 'backoff' : 'blocked';
    return 'connecting';
  }

  get lastError(): TunnelError | undefined {
    return this.#lastError;
  }

  /** When the next attempt starts; undefined while one is under way or none is needed. */
  get nextAttemptAt(): Date | undefined {
    if (this.#activity.kind !== 'waiting') return undefined;
    return new Date(Date.now() + Math.max(0, this.#activity.since + this.#activity.delayMs - performance.now()));
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
    if (this.#activity.kind === 'waiting') this.#wake.abort();
    return woken;
  }

  async open(target: Address, originator: Originator, signal: AbortSignal): Promise<Channel> {
    const first = this.#roster.choose();
    if (!first)
      throw this.#lastError ?? new TunnelError('connection_reset', `there is no SSH session to ${this.#host.name}`);
    this.#hedges.opened();
    const receivedBefore = first.session.received;
    return openHedged(
      {
        first: (withdrawn) => first.session.open(target, originator, withdrawn),
        patienceMs: patienceMs(first.session.rttMs),
        onSlow: () => first.session.check(),
        second: () => {
          const silent = first.session.received === receivedBefore;
          const second = this.#roster.choose(first);
          if (!second || second.session.suspect || !(silent || this.#hedges.take())) return undefined;
          return (withdrawn) => second.session.open(target, originator, withdrawn);
        },
        onRaced: (winner) =>
          this.#deps.metrics.linkHedgedOpens.inc({
            host: this.#host.name,
            actor: this.#actor.name,
            result: winner === 'second' ? 'won' : 'lost',
          }),
      },
      signal,
    );
  }

  /** Something behind this link did not answer: every session is asked for a sign of life at once. */
  check(): void {
    for (const { session } of this.#roster.all) session.check();
  }

  /** Tries again without waiting: somebody has changed something. A credential just rejected still waits for its minute. */
  kick(): void {
    if (this.#activity.kind !== 'waiting') return;
    this.#activity = { ...this.#activity, delayMs: 0 };
    this.#wake.abort();
  }

  /** New settings. With `replace`, new sessions are made first; the present ones then end with their last connection. */
  reconfigure(options: LinkOptions, replace: boolean): void {
    const { address, port, user } = this.#host;
    // Another user or another server has not rejected anything yet.
    if (address !== options.host.address || port !== options.host.port || user !== options.host.user)
      this.#rejected = undefined;
    this.#host = options.host;
    this.#actor = options.actor;
    if (replace) {
      this.#roster.nextGeneration();
      this.#failures = 0;
    }
    this.#roster.shed(this.#host.sessions);
    this.kick();
    this.#wake.abort();
    this.#deps.onChange();
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
      state: this.state,
      failures: this.#failures,
      nextAttemptAt: this.nextAttemptAt,
      lastError: this.#lastError,
      credential: this.#credential,
      held: this.#roster.all,
      active: this.#roster.choose(),
      isLeaving: (held) => this.#roster.isLeaving(held),
    });
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if (this.#roster.current.length >= this.#host.sessions) {
        this.#activity = { kind: 'idle' };
        await this.#pause(undefined);
        continue;
      }
      if (await this.#waitForTurn(signal)) await this.#attempt(signal);
    }
  }

  /** Whether the loop may attempt now; false when it was woken to look again. */
  async #waitForTurn(signal: AbortSignal): Promise<boolean> {
    if (this.#activity.kind === 'waiting') {
      const { since, delayMs, because } = this.#activity;
      const demanded = this.#waiting.size > 0 && !this.ready;
      const effective = demanded ? demandedDelayMs(delayMs, because, this.#deps.random()) : delayMs;
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
    const { generation } = this.#roster;
    const labels = { host: host.name, actor: actor.name };
    this.#activity = { kind: 'connecting', owed: undefined };
    this.#deps.onChange();
    try {
      // A key on a file system that hangs, or that is a FIFO, must hold up neither the link nor its stop.
      const unread = () =>
        new TunnelError('key_unreadable', `key and known_hosts were not read within ${host.connectTimeoutMs} ms`);
      const attempt = await withDeadline(host.connectTimeoutMs, signal, unread, (bounded) =>
        abortable(this.#deps.prepare(host, actor), bounded),
      );
      this.#credential = attempt.credential;
      if (this.#wasJustRejected(attempt.credential)) return;
      const session = await attempt.connect(signal);
      this.#deps.metrics.linkConnectAttempts.inc({ ...labels, code: 'ok' });
      this.#add(this.#roster.add(session, attempt.credential, generation));
    } catch (thrown) {
      if (signal.aborted) return;
      const error = TunnelError.from(thrown);
      this.#deps.metrics.linkConnectAttempts.inc({ ...labels, code: error.code });
      this.#fail(error);
    }
  }

  /** Whether the server has rejected this very credential less than a minute ago; waits for the rest of it then. */
  #wasJustRejected(credential: CredentialFacts): boolean {
    if (!this.#rejected || this.#rejected.fingerprint !== credential.fingerprint) return false;
    const { at, error } = this.#rejected;
    const waitMs = at + REJECTED_RETRY_MS - performance.now();
    if (waitMs <= 0) return false;
    this.#lastError = error;
    this.#wait(waitMs, error);
    this.#deps.onChange();
    return true;
  }

  #add(held: Held): void {
    this.#activity = (this.#activity.kind === 'connecting' && this.#activity.owed) || { kind: 'idle' };
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
    this.#roster.shed(this.#host.sessions);
    this.#waiting.wake();
    this.#deps.onChange();
  }

  #remove(held: Held, error: TunnelError | undefined, silentMs: number, lastedMs: number): void {
    const leaving = this.#roster.isLeaving(held);
    this.#roster.remove(held);
    const wasLast = this.#roster.all.length === 0;
    if (this.#stop.signal.aborted) return;
    if (error) {
      this.#deps.metrics.linkDetectSeconds.observe({ host: this.#host.name, actor: this.#actor.name }, silentMs / 1000);
      if (wasLast) this.#downSince ??= performance.now() - silentMs;
      this.#deps.log.warn({ event: 'session.lost', session: held.id, err: error }, error.message);
      if (!leaving) this.#retryAfterLoss(error, lastedMs);
    } else {
      this.#deps.log.info({ event: 'session.ended', session: held.id }, 'SSH session ended');
    }
    this.#wake.abort();
    this.#deps.onChange();
  }

  #retryAfterLoss(error: TunnelError, lastedMs: number): void {
    if (lastedMs >= STABLE_MS) this.#failures = 0;
    // A wait that protects us, and the error that somebody must mend, outlive the loss of another session.
    if (this.#activity.kind === 'waiting' && isRejection(this.#activity.because)) return;
    this.#lastError = error;
    const attempting = this.#activity.kind === 'connecting';
    const wait = this.#wait(retryDelayMs(this.#failures, undefined, this.#deps.random()), error);
    if (attempting) this.#activity = { kind: 'connecting', owed: wait };
    this.#failures++;
  }

  #fail(error: TunnelError): void {
    if (isCredentialRejection(error))
      this.#rejected = { fingerprint: this.#credential?.fingerprint, at: performance.now(), error };
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
    this.#wait(delayMs, error);
    this.#deps.onChange();
  }

  #wait(delayMs: number, because: TunnelError): Waiting {
    const waiting: Waiting = { kind: 'waiting', since: performance.now(), delayMs, because };
    this.#activity = waiting;
    return waiting;
  }
}
