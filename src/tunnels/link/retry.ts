import { isCredentialRejection, isRejection, TunnelError } from '../../base/errors.ts';
import type { LinkState } from '../../telemetry/status/status.ts';
import { type Activity, nextAttemptAt, owesWaitForLoss, stateWithoutSession, type Waiting } from './activity.ts';
import {
  demandedDelayMs,
  FLASH_MS,
  lossDelayMs,
  retryDelayMs,
  SETTLED_MS,
  STABLE_MS,
  welcomeDelayMs,
} from './backoff.ts';
import { type JumpLink, strandedError } from './jump.ts';

/** A failed attempt, for the report. */
export interface Failure {
  /** Failed attempts in a row, this one included. */
  readonly attempt: number;
  readonly delayMs: number;
  /** Whether the reason is new: the attempt before succeeded or failed for another reason. */
  readonly news: boolean;
}

/** After so many sessions in a row that ended soon after a login, the host keeps no further session. */
const MOST_SHORT_LIVED = 5;
/** After so many flashes in a row, the host keeps no session. */
const MOST_FLASHES = 3;

/** The state of a link's loop: what it is doing, when it retries, and its last error. */
export class Retry {
  readonly #random: () => number;
  #activity: Activity = { kind: 'idle' };
  /** Failed attempts in a row; only a stable session ends the row. */
  #failures = 0;
  /** Failed attempts since the last success. */
  #attempts = 0;
  /** Why the last attempt since then failed. */
  #failure: TunnelError | undefined;
  /** Whether the last login succeeded. */
  #welcome = false;
  /** Of the last login or loss, as of performance.now(). */
  #changedAt = performance.now();
  /** Sessions lost in a row before they were stable, while another session served. */
  #earlyLosses = 0;
  /** Last sessions lost in a row right after their login. */
  #flashes = 0;
  /** The longest life of a session since the link last had none, in milliseconds. */
  #longestMs = 0;
  /** Sessions lost in a row soon after a login, while another session served. */
  #shortLived = 0;
  /** Why the last of them ended, once there are {@link MOST_SHORT_LIVED}. */
  #unkept: TunnelError | undefined;
  #lastError: TunnelError | undefined;

  /** @param random uniform in [0, 1) */
  constructor(random: () => number) {
    this.#random = random;
  }

  get activity(): Activity {
    return this.#activity;
  }

  get attempts(): number {
    return this.#attempts || (this.unkept ? this.#shortLived : this.flashing ? this.#flashes : 0);
  }

  /** Why the host keeps no further session; undefined once one lasts, and while all sessions are lost. */
  get unkept(): TunnelError | undefined {
    const settled = this.#activity.kind === 'idle' && performance.now() - this.#changedAt >= SETTLED_MS;
    return settled ? undefined : this.#unkept;
  }

  /** Whether the host ended all the last sessions right after their login: then the next one is not trusted at once. */
  get flashing(): boolean {
    return this.#flashes >= MOST_FLASHES;
  }

  get lastError(): TunnelError | undefined {
    return (this.#activity.kind === 'stranded' && this.#activity.error) || this.#lastError;
  }

  /** Why no session can be made at present; undefined until an attempt fails, and after a success. */
  get failure(): TunnelError | undefined {
    if (this.#activity.kind === 'stranded') return this.#activity.error;
    return this.#failure ?? (this.flashing ? this.#lastError : this.unkept);
  }

  /** The state of a link without a session. */
  get state(): LinkState {
    return stateWithoutSession(this.#activity);
  }

  get nextAttemptAt(): Date | undefined {
    return nextAttemptAt(this.#activity, performance.now());
  }

  rest(): void {
    this.#activity = { kind: 'idle' };
  }

  /** No session is missing: sessions that were silent answer again, so that earlier failures no longer count. */
  complete(): void {
    this.rest();
    this.#attempts = 0;
    this.#failure = undefined;
  }

  begin(): void {
    this.#activity = { kind: 'connecting', owed: undefined };
  }

  succeeded(): void {
    this.#activity = (this.#activity.kind === 'connecting' && this.#activity.owed) || { kind: 'idle' };
    this.#attempts = 0;
    this.#failure = undefined;
    this.#welcome = true;
    this.#changedAt = performance.now();
  }

  /** @param again whether another credential may be offered at once */
  failed(error: TunnelError, again: boolean): Failure {
    const news = this.#lastError?.message !== error.message || this.#attempts === 0;
    if (!error.retryable || isRejection(error)) this.#welcome = false;
    const delayMs = again ? 0 : this.#delayAfter(error);
    if (!this.#welcome) this.#failures++;
    this.holdBack(delayMs, error);
    return { attempt: ++this.#attempts, delayMs, news };
  }

  /** Waits without counting a failure. */
  holdBack(delayMs: number, because: TunnelError): void {
    this.#lastError = because;
    this.#failure = because;
    this.#wait(delayMs, because, 'attempt');
  }

  /**
   * A session was lost after `lastedMs` milliseconds.
   *
   * @param serving whether another session serves
   */
  lost(error: TunnelError, lastedMs: number, serving: boolean): void {
    const wasStable = lastedMs >= STABLE_MS;
    this.#shortLived = serving && lastedMs < SETTLED_MS ? this.#shortLived + 1 : 0;
    this.#unkept = this.#shortLived < MOST_SHORT_LIVED ? undefined : unkeptError(error);
    if (wasStable) {
      this.#failures = 0;
      this.#earlyLosses = 0;
    }
    this.#changedAt = performance.now();
    this.#longestMs = Math.max(this.#longestMs, lastedMs);
    if (this.#activity.kind === 'stranded') return;
    // The wait after a rejection, and the error that an operator must fix, outlive the loss of another session.
    if (this.#activity.kind === 'waiting' && isRejection(this.#activity.because)) return;
    if (!serving) this.#countFlash();
    this.#lastError = this.flashing ? flashError(error) : error;
    const attempting = this.#activity.kind === 'connecting';
    // The attempt decides whether the link serves: the wait is owed only if it does.
    if (!serving && !attempting) {
      // Half of the wait is certain: a short one only makes the log of the host longer.
      const random = this.flashing ? (1 + this.#random()) / 2 : this.#random();
      this.#wait(lossDelayMs(this.#flashes, random), error, 'loss');
      return;
    }
    if (owesWaitForLoss(this.#activity) && !wasStable) return;
    const wait = this.#wait(lossDelayMs(this.#earlyLosses, this.#random()), error, 'loss');
    if (attempting) this.#activity = { kind: 'connecting', owed: wait };
    this.#earlyLosses++;
  }

  /** Whether a session has just proven that the host keeps sessions again. `serving`: whether a session serves. */
  settles(serving: boolean): boolean {
    if (!this.flashing || !serving || performance.now() - this.#changedAt < FLASH_MS) return false;
    this.#flashes = 0;
    return true;
  }

  /** The server ended an unused session, as it always does: that is no loss, and the next login may come at once. */
  endedUnused(error: TunnelError): void {
    this.#changedAt = performance.now();
    if (this.#activity.kind === 'idle' || this.#activity.kind === 'connecting') this.#lastError = error;
  }

  /** The link waits until the jump host's link is up. */
  strand(jump: JumpLink): void {
    this.#activity = { kind: 'stranded', jump, error: jump.lastError && strandedError(jump) };
  }

  /** The jump host's link changed. */
  jumpChanged(): void {
    if (this.#activity.kind !== 'stranded') return;
    const { jump, error } = this.#activity;
    if (jump.ready) this.rest();
    else if (jump.lastError !== error?.cause) this.strand(jump);
  }

  /** Settings or credential changed: earlier failures no longer count. */
  startOver(): void {
    this.#failures = 0;
    this.#attempts = 0;
    this.#shortLived = 0;
    this.#flashes = 0;
    this.#unkept = undefined;
    this.#failure = undefined;
  }

  /** The settings are other ones: what the host said before no longer counts. */
  forget(): void {
    this.startOver();
    this.#welcome = false;
    this.#earlyLosses = 0;
    this.#lastError = undefined;
  }

  /** Ends the current wait; false when there is none. */
  skip(): boolean {
    if (this.#activity.kind !== 'waiting') return false;
    this.#activity = { ...this.#activity, delayMs: 0 };
    return true;
  }

  /**
   * The last serving session is lost. Without a serving session, a fallback credential may be offered at once. The
   * rejected credential still waits for its minute.
   */
  servesNoLonger(error: TunnelError): void {
    if (this.#activity.kind !== 'waiting' || !isRejection(this.#activity.because))
      this.#lastError = this.flashing ? flashError(error) : error;
    else if (isCredentialRejection(this.#activity.because)) this.skip();
  }

  /** The rest of the current wait, in milliseconds; shorter when a client waits (`demanded`). */
  remainingMs(demanded: boolean): number {
    if (this.#activity.kind !== 'waiting') return 0;
    const { since, delayMs, because } = this.#activity;
    // A login serves no client at a host that keeps no session.
    const effective = demanded && !this.flashing ? demandedDelayMs(delayMs, because, this.#random()) : delayMs;
    return since + effective - performance.now();
  }

  #delayAfter(error: TunnelError): number {
    if (!this.#welcome) return retryDelayMs(this.#failures, error, this.#random());
    return welcomeDelayMs(this.#attempts, error, performance.now() - this.#changedAt, this.#random());
  }

  /** The link has no session any more. */
  #countFlash(): void {
    this.#flashes = this.#longestMs < FLASH_MS ? this.#flashes + 1 : 0;
    this.#longestMs = 0;
  }

  #wait(delayMs: number, because: TunnelError, after: Waiting['after']): Waiting {
    const waiting = { kind: 'waiting', since: performance.now(), delayMs, because, after } as const;
    this.#activity = waiting;
    return waiting;
  }
}

function unkeptError(cause: TunnelError): TunnelError {
  return new TunnelError(cause.code, `further SSH sessions end within seconds of a login: ${cause.message}`, {
    cause,
    hint: 'The host may limit the sessions of an account. Set `sessions: 1` for the host, or raise the limit on the host.',
  });
}

function flashError(cause: TunnelError): TunnelError {
  return new TunnelError(cause.code, `the host ends each SSH session right after the login: ${cause.message}`, {
    cause,
    hint: 'Read the log of sshd on the host. Usual causes: a limit of PAM, a forced command or a login shell that ends, `PermitRootLogin forced-commands-only`.',
  });
}
