import { errnoOf, TunnelError } from '../../base/errors.ts';
import { printable } from '../../base/text/printable.ts';
import type { TunnelConfig } from '../../config/config.ts';
import type { LinkStatus } from '../../telemetry/status/status.ts';
import type { HostPulse } from '../evidence/events.ts';

/** What one look for a host found. */
export interface Sighting {
  readonly state: HostPulse['state'];
  /** Null for a host that is there. */
  readonly code: string | null;
  /** One sentence. */
  readonly reason: string;
}

/** What an attempt at one address of the host came to: the banner, if any, of what accepted the connection, or the error. */
export type Attempt = { readonly banner: string | undefined } | { readonly error: unknown };

/** Who says no is out of reach; an answer that does not come is none. Anything else went wrong on our own side. */
const AWAY: ReadonlySet<string> = new Set(['ECONNREFUSED', 'ETIMEDOUT', 'EHOSTUNREACH']);

const BANNER_LIMIT = 80;

/**
 * One sighting out of the attempts at all addresses of a host. Whoever accepts a connection is there, whatever it says. It is
 * absent when nobody did and the attempts were really made; what was not tried proves nothing. Pure.
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
  // A family that this node has no route for is no way to the host; the other one may be.
  const tried = explained.filter(({ code }) => code !== 'ENETUNREACH');
  const decisive = tried.find(({ state }) => state === 'unknown') ?? tried[0] ?? explained[0];
  return decisive ?? { state: 'unknown', code: 'internal', reason: 'there was no address to try' };
}

function reached(banner: string | undefined): Sighting {
  const said = banner === undefined ? 'no SSH banner' : JSON.stringify(printable(banner, BANNER_LIMIT));
  return { state: 'reachable', code: null, reason: `it accepted a connection: ${said}` };
}

function failure(error: unknown): Sighting {
  const known = TunnelError.from(error);
  const reason = printable(known.message);
  const errno = errnoOf(known.cause);
  // A refusal has an errno of its own: this one had accepted before.
  if (errno === 'ECONNRESET')
    return { state: 'reachable', code: null, reason: `it accepted a connection, and reset it` };
  if (known.code === 'dns_failed') {
    // Only the resolver's own no is an answer; that it was not asked, or is silent, says nothing.
    return errno === 'ENOTFOUND'
      ? { state: 'unreachable', code: 'dns_failed', reason }
      : { state: 'unknown', code: errno ?? 'dns_failed', reason };
  }
  const away = errno === undefined ? known.code === 'connect_timeout' : AWAY.has(errno);
  return away
    ? { state: 'unreachable', code: known.code, reason }
    : { state: 'unknown', code: errno ?? known.code, reason };
}

/** Whether a link that production goes over is up: then our own network works. Pure. */
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
 * Silence is absence only while our own network works: `networkWorks` is whether a production link was up before and after
 * the look. Pure.
 */
export function withControl(sighting: Sighting, networkWorks: boolean): Sighting {
  if (sighting.state !== 'unreachable' || networkWorks) return sighting;
  const reason = `no production link was up meanwhile, so that the silence may be our own: ${sighting.reason}`;
  return { state: 'unknown', code: 'no_control', reason };
}
