import { TunnelError } from '../../base/errors.ts';
import type { SessionFacts } from '../ssh/session.ts';
import type { Roster } from './roster.ts';
import type { Idling } from './session.ts';

/** sshd counts whole seconds, so the end of an unused session comes up to this late, in milliseconds. */
const SLACK_MS = 1_500;
/** Sessions that end sooner flap, whatever the cause. In milliseconds. */
const LEAST_MS = 3_000;
/** The time that a replacement gets, in milliseconds: a tenth of the limit, at least this long, but never half of the limit. */
const LEAST_MARGIN_MS = 3_000;
/** The login after an end begins within this time, in milliseconds. */
const LOGIN_MS = 10_000;
/** After so many replacements the server must show the limit again: the administrator may have changed the setting. */
const MOST_RENEWALS = 20;

/**
 * The time after which a server ends a session without a channel (`UnusedConnectionTimeout` in sshd_config(5)). SSH does
 * not tell the limit, nor the reason of such an end. So the limit is learned from two ends after the same time.
 */
export class IdleLimit {
  #limitMs: number | undefined;
  #lastEnd: { readonly idleMs: number; readonly at: number } | undefined;
  #inUseLostAt: number | undefined;
  #renewals = 0;

  /**
   * The server closed a session without a channel. Returns whether the limit explains the end.
   *
   * @param idleMs how long the session had carried nothing, in milliseconds
   * @param now as of performance.now()
   */
  ended(idleMs: number, now: number): boolean {
    if (this.#inUseLostAt !== undefined && now - this.#inUseLostAt <= SLACK_MS) return false;
    const before = this.#lastEnd;
    this.#lastEnd = { idleMs, at: now };
    // Sessions that end together may have any common cause.
    const repeated = before !== undefined && now - before.at > SLACK_MS ? before.idleMs : undefined;
    const known = this.#limitMs ?? repeated;
    const explained = known !== undefined && idleMs >= LEAST_MS && Math.abs(idleMs - known) <= SLACK_MS;
    this.#limitMs = explained ? Math.min(known, idleMs) : undefined;
    this.#renewals = 0;
    return explained;
  }

  /** A session in use was closed: other sessions that end now, or ended just before, have the same cause. */
  lostInUse(now: number): void {
    this.#inUseLostAt = now;
    if (this.#lastEnd && now - this.#lastEnd.at <= SLACK_MS) this.#lastEnd = this.#limitMs = undefined;
  }

  /** A login failed. After the end of an unused session the server lets in at once: that end had another cause. */
  loginFailed(now: number): void {
    if (this.#lastEnd && now - this.#lastEnd.at <= LOGIN_MS) this.#lastEnd = this.#limitMs = undefined;
  }

  /** The error of an end that the limit explains; undefined for any other end. `idleMs`: see {@link ended}. */
  explain(
    host: string,
    { server }: Pick<SessionFacts, 'server'>,
    error: TunnelError,
    idleMs: number | undefined,
  ): TunnelError | undefined {
    if (error.code !== 'connection_reset') return undefined;
    if (idleMs === undefined) {
      this.lostInUse(performance.now());
      return undefined;
    }
    if (!this.ended(idleMs, performance.now())) return undefined;
    const setting = /openssh/i.test(server) ? '`UnusedConnectionTimeout` in sshd_config' : 'a time limit of the server';
    const message = `${host} ended an SSH session that had carried nothing for ${Math.floor(idleMs / 1000)} s`;
    return new TunnelError(error.code, message, {
      cause: error,
      hint: `The cause is probably ${setting}: then nothing has to be fixed, because the daemon replaces each such session. Otherwise find out in the log of the host why idle sessions end.`,
    });
  }

  /**
   * The session that needs a replacement before the server ends it, because no other session would serve then, or because
   * a listener would be missing for a moment. Another session is left to its end, which confirms or refutes the limit.
   */
  due<S extends Idling>(sessions: readonly S[]): S | undefined {
    const limitMs = this.#limitMs;
    if (limitMs === undefined) return undefined;
    const leftMs = ({ idleMs }: Idling) => (idleMs === undefined ? Number.POSITIVE_INFINITY : limitMs - idleMs);
    if (this.#renewals === MOST_RENEWALS || sessions.some((session) => leftMs(session) < -2 * SLACK_MS)) {
      this.#limitMs = undefined;
      return undefined;
    }
    const marginMs = Math.min(limitMs / 2, Math.max(LEAST_MARGIN_MS, limitMs / 10));
    const ending = sessions.filter((session) => leftMs(session) <= marginMs);
    const alone = ending.length === sessions.length;
    const due = ending.find(({ listeners = 0 }) => alone || listeners > 0);
    if (due) this.#renewals++;
    return due;
  }
}

/** Has the session replaced that the server will end while it is needed. Returns whether there is one. */
export function renewEnding(roster: Roster, limit: IdleLimit): boolean {
  if (roster.superseded.length > 0) return false;
  const { current } = roster;
  const due = limit.due(
    current.map((held) => ({ held, idleMs: held.session.idleMs, listeners: held.session.listeners ?? 0 })),
  );
  if (due) roster.renew(due.held);
  return due !== undefined;
}
