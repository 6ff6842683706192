import { sleep } from '../../base/async/sleep.ts';
import { messageOf } from '../../base/errors.ts';
import type { WebhookConfig } from '../../config/config.ts';
import type { Logger } from '../../telemetry/log/log.ts';
import { bodyOf, type Notice } from './notice.ts';
import { type Outcome, post } from './post.ts';

/** The most waiting notices. The oldest one makes room. */
const MOST_WAITING = 100;
/** A notice is news for so long, in milliseconds. */
const NEWS_MS = 3_600_000;
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 300_000;

export interface WebhookDependencies {
  readonly log: Logger;
  /** Reads the token of `secret_file`; rejects if the file is unreadable, or others can read it. */
  readToken(path: string): Promise<string>;
  /** Uniform in [0, 1). */
  random(): number;
}

/** Delivers notices to one webhook, in order, with repetitions. Bounded in memory and time. */
export class Webhook {
  readonly #config: WebhookConfig;
  readonly #dependencies: WebhookDependencies;
  readonly #signal: AbortSignal;
  readonly #waiting: { readonly notice: Notice; readonly until: number }[] = [];
  #running: Promise<void> | undefined;
  #failing = false;

  constructor(config: WebhookConfig, signal: AbortSignal, dependencies: WebhookDependencies) {
    this.#config = config;
    this.#signal = signal;
    this.#dependencies = dependencies;
  }

  send(notice: Notice): void {
    if (!this.#config.events.includes(notice.event)) return;
    if (this.#waiting.length === MOST_WAITING) this.#drop('too many notices wait');
    this.#waiting.push({ notice, until: performance.now() + NEWS_MS });
    this.#running ??= this.#deliver().finally(() => {
      this.#running = undefined;
    });
  }

  async #deliver(): Promise<void> {
    let pauseMs = FIRST_PAUSE_MS;
    for (;;) {
      const next = this.#waiting[0];
      if (next === undefined || this.#signal.aborted) return;
      const outcome = await this.#attempt(next.notice);
      if (this.#signal.aborted) return;
      this.#report(outcome);
      // Another notice may have made room meanwhile.
      const isStillFirst = this.#waiting[0] === next;
      if (outcome.kind === 'later') {
        if (isStillFirst && performance.now() > next.until) this.#drop(outcome.reason);
        await sleep(pauseMs * (0.5 + this.#dependencies.random() / 2), this.#signal).catch(() => {});
        pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2);
        continue;
      }
      pauseMs = FIRST_PAUSE_MS;
      if (isStillFirst) this.#waiting.shift();
    }
  }

  async #attempt(notice: Notice): Promise<Outcome> {
    const { url, secretFile, template } = this.#config;
    let token: string | undefined;
    try {
      // Read each time: the file may have been replaced.
      if (secretFile !== undefined) token = await this.#dependencies.readToken(secretFile);
    } catch (error) {
      return { kind: 'later', reason: messageOf(error) };
    }
    return post(url, bodyOf(notice, template), token, this.#signal);
  }

  /** One line when deliveries begin to fail, one when they work again. */
  #report(outcome: Outcome): void {
    const fields = { webhook: originOf(this.#config.url) };
    const { log } = this.#dependencies;
    if (outcome.kind === 'delivered') {
      if (this.#failing) log.info({ event: 'notify.recovered', ...fields }, 'the webhook accepts notices again');
      this.#failing = false;
      return;
    }
    const { reason, kind } = outcome;
    if (!this.#failing)
      log.warn({ event: 'notify.failed', ...fields, reason, retry: kind === 'later' }, `the webhook failed: ${reason}`);
    this.#failing = true;
  }

  #drop(reason: string): void {
    const dropped = this.#waiting.shift();
    if (dropped === undefined) return;
    const fields = { webhook: originOf(this.#config.url), reason, about: dropped.notice.event };
    this.#dependencies.log.warn({ event: 'notify.dropped', ...fields }, `a notice is given up: ${reason}`);
  }
}

/** Without path and query: the URL of a chat service is a secret. */
function originOf(url: string): string {
  return new URL(url).origin;
}
