import { errnoOf, TunnelError } from '../../base/errors.ts';
import { printable } from '../../base/text/printable.ts';
import type { TunnelConfig } from '../../config/config.ts';
import type { LinkStatus } from '../../telemetry/status/status.ts';
import type { HostPulse } from '../evidence/events.ts';

/** The result of one look for a host. */
export interface Sighting {
  readonly state: HostPulse['state'];
  /** Null for a reachable host. */
  readonly code: string | null;
  /** One sentence. */
  readonly reason: string;
}

/** The result of one address: the banner, if any, after an accepted connection, or the error. */
export type Attempt = { readonly banner: string | undefined } | { readonly error: unknown };

/** Errors that show an unreachable host. Any other error is a problem of this node. */
const AWAY: ReadonlySet<string> = new Set(['ECONNREFUSED', 'ETIMEDOUT', 'EHOSTUNREACH']);

const BANNER_LIMIT = 80;

/**
 * One sighting from the attempts at all addresses of a host. Any accepted connection makes the host reachable. The host is
 * unreachable only if every attempt was really made and failed. Pure.
 */
export function sightingOf(attempts: readonly Attempt[]): Sighting {
  const failures: unknown[] = [];
  for (const attempt of attempts) {
    if ('error' in attempt) failures.push(attempt.error);
    else return reached(attempt.banner);
  }
  const explained = failures.map(failure);
  const there = explained.find(({ state }) => state === 'reachable');
  if (there) return there;
  // An address family without a route on this node does not count; the other family decides.
  const tried = explained.filter(({ code }) => code !== 'ENETUNREACH');
  const decisive = tried.find(({ state }) => state === 'unknown') ?? tried[0] ?? explained[0];
  return decisive ?? { state: 'unknown', code: 'internal', reason: 'the name has no address' };
}

function reached(banner: string | undefined): Sighting {
  const said = banner === undefined ? 'no SSH banner' : `banner ${JSON.stringify(printable(banner, BANNER_LIMIT))}`;
  return { state: 'reachable', code: null, reason: `the host accepted a connection: ${said}` };
}

function failure(error: unknown): Sighting {
  const known = TunnelError.from(error);
  const reason = printable(known.message);
  const errno = errnoOf(known.cause);
  // ECONNRESET differs from ECONNREFUSED: the host had accepted the connection.
  if (errno === 'ECONNRESET')
    return { state: 'reachable', code: null, reason: 'the host accepted a connection and reset it' };
  if (known.code === 'dns_failed') {
    // Only "no such name" is an answer; a silent or unreachable resolver proves nothing.
    return errno === 'ENOTFOUND'
      ? { state: 'unreachable', code: 'dns_failed', reason }
      : { state: 'unknown', code: errno ?? 'dns_failed', reason };
  }
  const away = errno === undefined ? known.code === 'connect_timeout' : AWAY.has(errno);
  return away
    ? { state: 'unreachable', code: known.code, reason }
    : { state: 'unknown', code: errno ?? known.code, reason };
}

/** Whether a link of a production tunnel is up, which shows that this node's network works. Pure. */
export function reachesProduction(
  tunnels: ReadonlyMap<string, Pick<TunnelConfig, 'host' | 'actor' | 'production'>>,
  links: readonly Pick<LinkStatus, 'host' | 'actor' | 'state'>[],
): boolean {
  const production = [...tunnels.values()].filter((tunnel) => tunnel.production);
  return links.some(
    ({ host, actor, state }) =>
      state === 'up' && production.some((tunnel) => tunnel.host === host && tunnel.actor === actor),
  );
}

/**
 * Silence proves absence only while this node's network works. `networkWorks`: a production link was up before and after the
 * look. Pure.
 */
export function withControl(sighting: Sighting, networkWorks: boolean): Sighting {
  if (sighting.state !== 'unreachable' || networkWorks) return sighting;
  const reason = `no production link was up, so this node's own network may be down: ${sighting.reason}`;
  return { state: 'unknown', code: 'no_control', reason };
}
