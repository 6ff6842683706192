import type { ErrorReport } from '../../base/errors.ts';
import { printable } from '../../base/text/printable.ts';
import { formatSpan, spanBetween } from '../../base/text/span.ts';
import type {
  ClientStatus,
  LinkStatus,
  OtherClientsStatus,
  Status,
  TunnelStatus,
} from '../../telemetry/status/status.ts';
import { clientText } from '../../tunnels/clients/client.ts';
import { failingReplacements, replacementText } from '../../tunnels/link/advisories.ts';
import { wayOf } from '../../tunnels/link/way-of.ts';

/** Why a tunnel has its state. */
export interface Explanation {
  /** Undefined for a tunnel that is up without trouble, or out of service without a reason. */
  readonly why: string | undefined;
  /** The failure behind `why`, with its fix. */
  readonly error: ErrorReport | null;
  /** A second failure, of the link, which `why` does not name: both must be fixed. */
  readonly also: ErrorReport | null;
  /** What the daemon does next; undefined when nothing is due. */
  readonly next: string | undefined;
  readonly link: LinkStatus | undefined;
}

/** Derives the cause of a tunnel's state from a snapshot. Pure. */
export function explain(tunnel: TunnelStatus, { links, now }: Pick<Status, 'links' | 'now'>): Explanation {
  const link = links.find(({ host, actor }) => host === tunnel.host && actor === tunnel.actor);
  if (tunnel.state === 'up') return { ...explainUp(link, links, now), also: null, link };
  // Out of service on purpose: earlier errors are not the cause.
  const intended = tunnel.state === 'stopped' || tunnel.state === 'retired' || tunnel.state === 'draining';
  if (intended) return { why: tunnel.reason ?? undefined, error: null, also: null, next: undefined, link };
  const linkError = link !== undefined && link.state !== 'up' ? link.last_error : null;
  const error = tunnel.last_error ?? linkError ?? tunnel.probe?.last_error ?? null;
  const why = tunnel.reason ?? error?.message ?? 'cause not known yet';
  return {
    why,
    error,
    also:
      linkError === null || linkError.message === error?.message || why.includes(linkError.message) ? null : linkError,
    next: link && nextAttempt(link, now),
    link,
  };
}

/** A tunnel that is up is in trouble when its link, or the link to a jump host, cannot replace its sessions. */
function explainUp(
  link: LinkStatus | undefined,
  links: readonly LinkStatus[],
  now: Date,
): Pick<Explanation, 'why' | 'error' | 'next'> {
  const [failing] = failingReplacements(wayOf(link, links));
  if (!failing) return { why: undefined, error: null, next: undefined };
  return {
    why: `the tunnel is up, but ${replacementText(failing)}`,
    error: failing.replacement?.last_error ?? null,
    next: nextReplacement(failing, now),
  };
}

/** What the daemon does next about a failing replacement. */
export function nextReplacement(link: LinkStatus, now: Date): string {
  const wait = link.next_attempt_at === null ? 0 : link.next_attempt_at.getTime() - now.getTime();
  return wait < 1_000 ? `connecting to ${printable(link.host)}` : `connects again in ${formatSpan(wait)}`;
}

function nextAttempt(link: LinkStatus, now: Date): string | undefined {
  const wait = link.next_attempt_at === null ? 0 : link.next_attempt_at.getTime() - now.getTime();
  const when = wait < 1_000 ? 'now' : `in ${formatSpan(wait)}`;
  const failed = link.attempts === 1 ? ' (1 attempt failed)' : ` (${link.attempts} attempts failed)`;
  const tried = link.attempts === 0 ? '' : failed;
  switch (link.state) {
    case 'up':
      return undefined;
    case 'connecting':
      return `connecting to ${printable(link.host)}${tried}`;
    case 'backoff':
      return `connects again ${when}${tried}`;
    case 'blocked':
      return link.next_attempt_at === null
        ? 'no retry: fix this first'
        : `checks again ${when}, but fix this first${tried}`;
  }
}

/** Where new clients of a tunnel go; undefined while no cut-over is involved. */
export function routeText({ route, cutover }: Pick<TunnelStatus, 'route' | 'cutover'>, now: Date): string | undefined {
  if (!cutover || (cutover.phase === 'idle' && cutover.reason === null && route === 'tunnel')) return undefined;
  const { phase, since, reason, successor, usage } = cutover;
  const where = route === 'tunnel' ? 'through the tunnel' : `to the successor ${printable(successor)}`;
  const use = route === 'tunnel' ? '' : `, ${usage.open} open there`;
  const why = reason === null ? '' : `: ${printable(reason)}`;
  return `new clients go ${where}${use}; cut-over ${phase.replaceAll('_', ' ')} for ${spanBetween(since, now)}${why}`;
}

/** One line for each known client of a tunnel: its connections and when it was last seen. */
export function clientLines({ usage }: Pick<TunnelStatus, 'usage'>, now: Date): string[] {
  const { clients, other_clients } = usage;
  return [
    ...(clients ?? []).map((client) => `${clientText(client)}: ${use(client, now)}`),
    ...(other_clients === null ? [] : [`other clients, not identified or from long ago: ${use(other_clients, now)}`]),
  ];
}

function use({ open, connections_total, last_seen_at }: ClientStatus | OtherClientsStatus, now: Date): string {
  const all = connections_total === 1 ? '1 connection' : `${connections_total} connections`;
  return open > 0 ? `${all}, ${open} open now` : `${all}, last seen ${spanBetween(last_seen_at, now)} ago`;
}
