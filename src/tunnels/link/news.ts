import type { ErrorCode, TunnelError } from '../../base/errors.ts';
import type { LinkName } from '../../config/way.ts';
import { type Tell, teller } from '../../telemetry/tell.ts';
import { sessionFields } from './describe.ts';
import type { LinkDependencies } from './options.ts';
import type { Failure } from './retry.ts';
import type { Held } from './session.ts';

/** The facts about a lost session. */
interface Loss {
  /** How long the peer was silent before the loss, in milliseconds. */
  readonly silentMs: number;
  /** Whether the link now has no session. */
  readonly last: boolean;
  /** Whether the same happened many times just before. */
  readonly repeated?: boolean;
}

/** Reports the events of one link to the log, the evidence and the metrics. */
export class LinkNews {
  readonly #labels: LinkName;
  readonly #metrics: LinkDependencies['metrics'];
  readonly #log: LinkDependencies['log'];
  readonly #tell: Tell;
  /** Since when the link has no session, as of performance.now(); undefined until it loses its last one. */
  #downSince: number | undefined;

  constructor({ host, actor }: LinkName, { metrics, log, note }: Pick<LinkDependencies, 'metrics' | 'log' | 'note'>) {
    this.#labels = { host, actor };
    this.#metrics = metrics;
    this.#log = log;
    this.#tell = teller(log, note);
  }

  /** An attempt ended. */
  attempted(code: 'ok' | ErrorCode): void {
    this.#metrics.linkConnectAttempts.inc({ ...this.#labels, code });
  }

  /** An attempt failed. A new reason is logged as a warning, a repeated one for debugging only. */
  attemptFailed({ attempt, delayMs, news }: Failure, error: TunnelError): void {
    const fields = { event: 'link.attempt_failed', attempt, retry_in_ms: Math.round(delayMs), err: error };
    this.#tell(fields, error.message, news ? 'warn' : 'debug');
  }

  /** The link waits for the link to its jump host. */
  stranded(jump: string, error: TunnelError | undefined): void {
    const fields = { event: 'link.stranded', jump, err: error };
    this.#log.info(fields, `waiting for the link to jump host ${jump}`);
  }

  /** `old`: the outdated session that the new one replaces. `repeated`: the host ended many new sessions just before. */
  sessionUp(held: Held, old?: Pick<Held, 'id'>, repeated = false): void {
    if (this.#downSince !== undefined) {
      this.#metrics.linkRecoverSeconds.observe(this.#labels, (performance.now() - this.#downSince) / 1000);
      this.#downSince = undefined;
    }
    const fields = { event: 'session.up', ...sessionFields(held), replaces: old?.id };
    this.#tell(fields, 'SSH session up', repeated ? 'debug' : 'info');
  }

  sessionLost({ id }: Pick<Held, 'id'>, error: TunnelError, { silentMs, last, repeated = false }: Loss): void {
    this.#metrics.linkDetectSeconds.observe(this.#labels, silentMs / 1000);
    if (last) this.#downSince ??= performance.now() - silentMs;
    this.#tell({ event: 'session.lost', session: id, err: error }, error.message, repeated ? 'debug' : 'warn');
  }

  /** A session ended in order. */
  sessionEnded({ id }: Pick<Held, 'id'>, reason?: string): void {
    this.#tell({ event: 'session.ended', session: id, reason }, 'SSH session ended');
  }

  /** The server ended an unused session, as it always does. `last`: the link now has no session. */
  sessionEndedUnused({ id }: Pick<Held, 'id'>, error: TunnelError, last: boolean): void {
    if (last) this.#downSince ??= performance.now();
    this.#tell({ event: 'session.ended', session: id, err: error }, error.message);
  }

  /** All sessions of older credentials were replaced, `seconds` after the new credential came. */
  rotated(seconds: number): void {
    this.#metrics.rotationSeconds.observe(this.#labels, seconds);
    this.#tell(
      { event: 'link.rotated', seconds },
      `all SSH sessions use the new credential after ${seconds.toFixed(3)} s`,
    );
  }

  /** Two sessions were asked for a channel; `winner` answered first. */
  hedged(winner: 'first' | 'second'): void {
    this.#metrics.linkHedgedOpens.inc({ ...this.#labels, result: winner === 'second' ? 'won' : 'lost' });
  }
}
