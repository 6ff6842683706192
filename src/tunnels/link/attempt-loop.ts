import { follow } from '../../base/async/follow.ts';
import type { Waiters } from '../../base/async/waiters.ts';
import { Wake } from '../../base/async/wake.ts';
import { isCredentialRejection, TunnelError } from '../../base/errors.ts';
import type { CredentialFacts } from '../credential/offer.ts';
import { attemptSession } from './attempt.ts';
import { FailedAddresses } from './failed-addresses.ts';
import type { IdleLimit } from './idle-limit.ts';
import type { LoginTest } from './login-test.ts';
import type { LinkNews } from './news.ts';
import type { LinkDependencies, LinkOptions } from './options.ts';
import type { Outcomes } from './outcomes.ts';
import { Rejection, rememberedRejection } from './rejection.ts';
import type { Retry } from './retry.ts';
import type { Roster } from './roster.ts';
import type { Held } from './session.ts';

/** The parts of a link that its loop reads or tells. */
export interface LoopParts {
  readonly roster: Roster;
  readonly retry: Retry;
  readonly outcomes: Outcomes;
  readonly idleLimit: IdleLimit;
  readonly loginTest: Pick<LoginTest, 'due' | 'begin'>;
  readonly news: LinkNews;
  /** The clients that wait for a session. */
  readonly waiting: Waiters;
  /** The settings in force. */
  options(): LinkOptions;
  /** Whether a session takes connections. */
  ready(): boolean;
  /** A session has come up, and is in the roster. */
  onUp(held: Held): void;
  /** An attempt began or failed, or the jump host is missing. */
  onChange(): void;
}

/**
 * Makes the sessions of a link while some are missing, one attempt at a time. So sessions are staggered, one attempt tests
 * an unreachable host for all, and a rejected credential is offered once.
 */
export class AttemptLoop {
  readonly #link: LoopParts;
  readonly #deps: Pick<LinkDependencies, 'prepare' | 'targets' | 'pacer'>;
  readonly #wake = new Wake();
  readonly #rejection = new Rejection();
  readonly #addresses = new FailedAddresses();
  /** A client found no session that answers. */
  #demanded = false;
  #running: Promise<void> | undefined;
  /** Ends the current attempt, whose settings have become outdated. */
  #outdate: (() => void) | undefined;

  constructor(link: LoopParts, deps: Pick<LinkDependencies, 'prepare' | 'targets' | 'pacer'>) {
    this.#link = link;
    this.#deps = deps;
  }

  /** Begins once; later calls change nothing. `signal` ends the loop and the current attempt. */
  start(signal: AbortSignal): void {
    if (this.#running) return;
    signal.addEventListener('abort', () => this.#wake.call(), { once: true });
    this.#running = this.#run(signal);
  }

  /** Settles at the end of the loop; at once if it never began. */
  async ended(): Promise<void> {
    await this.#running;
  }

  /** The sessions, the settings or the clients changed: the loop looks again. */
  wake(): void {
    this.#wake.call();
  }

  /** A client found no session that answers: a further session may. */
  demand(): void {
    this.#demanded = true;
    this.#wake.call();
  }

  /** The settings of the current attempt no longer hold. */
  outdate(): void {
    this.#outdate?.();
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { roster, retry } = this.#link;
    while (!signal.aborted) {
      if (roster.current.length >= this.#wanted) {
        retry.complete();
        await this.#wake.sleep();
        continue;
      }
      if (this.#isStranded()) await this.#wake.sleep();
      else if (await this.#waitForTurn(signal)) await this.#attempt(signal);
    }
  }

  /** While no session answers a client, one more may: perhaps the network has forgotten only the present ones. */
  get #wanted(): number {
    const { roster, loginTest } = this.#link;
    this.#demanded &&= roster.silent;
    return this.#link.options().host.sessions + (this.#demanded || loginTest.due ? 1 : 0);
  }

  /** Whether the link must wait for the jump host's link. */
  #isStranded(): boolean {
    const { retry, news, outcomes, waiting } = this.#link;
    const { jump } = this.#link.options();
    if (!jump || jump.ready) return false;
    if (retry.activity.kind === 'stranded') return true;
    retry.strand(jump);
    news.stranded(jump.hostName, retry.lastError);
    outcomes.follow(retry.activity);
    for (const signal of waiting.signals) jump.whenReady(signal).catch(() => {});
    this.#link.onChange();
    return true;
  }

  /** Whether the loop may attempt now; false when the loop must look again. */
  async #waitForTurn(signal: AbortSignal): Promise<boolean> {
    const { retry, waiting } = this.#link;
    const remainingMs = () => retry.remainingMs(this.#demanded || (waiting.size > 0 && !this.#link.ready()));
    const waitMs = remainingMs();
    if (waitMs > 0) {
      await this.#wake.sleep(waitMs);
      return false;
    }
    const { activity } = retry;
    await this.#deps.pacer.turn(signal).catch(() => {});
    // The close of a session may be reported only now: its wait must not be skipped.
    return !signal.aborted && (retry.activity === activity || remainingMs() <= 0);
  }

  async #attempt(parent: AbortSignal): Promise<void> {
    const { roster, retry, news } = this.#link;
    const { host, actor, jump } = this.#link.options();
    const options = { host, actor, jump, roster, rejection: this.#rejection, addresses: this.#addresses };
    let offered: CredentialFacts | undefined;
    const attempt = follow(parent);
    this.#outdate = attempt.end;
    retry.begin();
    this.#link.onChange();
    try {
      const outcome = await attemptSession(options, this.#deps, (facts) => (offered = facts), attempt.signal);
      if (outcome.kind === 'held-back') return this.#holdBack(outcome.waitMs, outcome.error);
      news.attempted('ok');
      this.#link.onUp(outcome.held);
    } catch (thrown) {
      if (attempt.signal.aborted) return retry.rest();
      const error = TunnelError.from(thrown);
      news.attempted(error.code);
      const rejected = isCredentialRejection(error);
      if (rejected) this.#rejection.note(host, offered, error, performance.now());
      // The source may have another certificate. The rejected one is never offered again at once.
      const again = rejected && offered?.type === 'certificate' && error.code !== 'penalised';
      this.#fail(error, again, offered);
    } finally {
      this.#outdate = undefined;
      attempt.end();
    }
  }

  /** The server rejected every available credential less than a minute ago: waits for the rest of the minute. */
  #holdBack(waitMs: number, error: TunnelError): void {
    this.#link.retry.holdBack(waitMs, error);
    this.#link.outcomes.fail(rememberedRejection(error, waitMs));
    this.#link.onChange();
  }

  /**
   * @param again whether another credential may be offered at once
   * @param offered in the failed attempt; undefined if it failed before
   */
  #fail(error: TunnelError, again: boolean, offered: CredentialFacts | undefined): void {
    const { roster, retry, outcomes, idleLimit, loginTest, news } = this.#link;
    news.attemptFailed(retry.failed(error, again), error);
    if (error.retryable) idleLimit.loginFailed(performance.now());
    else loginTest.begin();
    if (!again) outcomes.fail(error, !offered || !roster.isSuperseded(offered));
    this.#link.onChange();
  }
}
