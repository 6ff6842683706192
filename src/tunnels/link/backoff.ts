import { isRejection, type TunnelError } from '../../base/errors.ts';

/** The first retry waits up to this, each further one up to twice as long as the one before, in milliseconds. */
const BASE_MS = 500;
const CAP_MS = 30_000;
/** No retry comes sooner than this, whatever `random` is. */
const FLOOR_MS = 50;
/** While a client waits for the link, the next retry comes within this time. */
const DEMAND_MS = 1_000;
/** A rejected credential or host key is not tried again sooner: sshd's PerSourcePenalties add up. */
const REJECTED_MS = 60_000;
/** A session must last this long before its success counts: a host that flaps must not reset the backoff. */
export const STABLE_MS = 30_000;
/** The longest wait for a host whose last login succeeded, in milliseconds. */
const WELCOME_CAP_MS = 5_000;
/**
 * Such a host may be back each moment, so the wait stays as short as the pause of `ssh` in a restart loop. A refusal costs
 * the host nothing, so the wait is half as long. The wait grows with the time without a login: a host away for minutes does
 * not flap, and the longer wait adds little to its outage.
 */
const WELCOME_MS = 1_000;
const REFUSED_MS = 500;
const WELCOME_PER_MS = 1 / 60;
/** A session that lasts less than this, in milliseconds, was no service: the next wait grows. */
export const FLASH_MS = 500;

/**
 * A host that ends a session sooner than this after a login, in milliseconds, may not want that many sessions. An older
 * session is the measure of further ones.
 */
export const SETTLED_MS = 10_000;

/**
 * How long to wait before the next attempt, in milliseconds: full jitter below a ceiling that doubles. The first retry is
 * jittered too, so that many nodes do not return to one server together. After a rejection the wait is at least a minute.
 *
 * @param failures attempts that failed in a row before this one
 * @param random uniform in [0, 1)
 */
export function retryDelayMs(failures: number, error: TunnelError | undefined, random: number): number {
  if (error && isRejection(error)) return REJECTED_MS * (1 + random / 4);
  return jittered(Math.min(CAP_MS, doubled(failures)), random);
}

/**
 * The wait after an attempt that failed at a host whose last login succeeded, in milliseconds.
 *
 * @param failures attempts that failed since that login, before this one
 * @param missingMs how long a session has been missing, in milliseconds
 */
export function welcomeDelayMs(failures: number, { code }: TunnelError, missingMs: number, random: number): number {
  const least = code === 'connect_refused' ? REFUSED_MS : WELCOME_MS;
  const ceiling = Math.min(WELCOME_CAP_MS, Math.max(least, missingMs * WELCOME_PER_MS));
  return jittered(Math.min(ceiling, doubled(failures)), random);
}

/**
 * The wait after the loss of a session, in milliseconds: the host lets us in, so the wait is short.
 *
 * @param early how many sessions in a row were lost early: a server that drops every session gets fewer logins
 */
export function lossDelayMs(early: number, random: number): number {
  return jittered(Math.min(WELCOME_CAP_MS, doubled(early)), random);
}

/**
 * The delay while clients wait: at most a second, half of it jitter. The wait after a rejection is not shortened.
 *
 * @param delayMs the result of {@link retryDelayMs} for this retry
 */
export function demandedDelayMs(delayMs: number, error: TunnelError | undefined, random: number): number {
  if (error && isRejection(error)) return delayMs;
  return Math.min(delayMs, (DEMAND_MS * (1 + random)) / 2);
}

function doubled(times: number): number {
  return BASE_MS * 2 ** Math.min(times, 16);
}

function jittered(ceilingMs: number, random: number): number {
  return Math.max(FLOOR_MS, random * ceilingMs);
}
