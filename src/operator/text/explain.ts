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

/** Why a tunnel is as it is. */
export interface Explanation {
  /** Undefined where there is nothing to say: it is up, or out of service without a word of why. */
  readonly why: string | undefined;
  /** The failure that `why` is about, with its remedy. */
  readonly error: ErrorReport | null;
  /** What happens next by itself; undefined when nothing has to. */
  readonly next: string | undefined;
  readonly link: LinkStatus | undefined;
}

/** The cause of a tunnel's state, out of everything that a snapshot has on it. Pure. */
export function explain(tunnel: TunnelStatus, { links, now }: Pick<Status, 'links' | 'now'>): Explanation {
  const link = links.find(({ host, actor }) => host === tunnel.host && actor === tunnel.actor);
  if (tunnel.state === 'up') return { why: undefined, error: null, next: undefined, link };
  // Out of service because somebody wants it so: an error of earlier times has nothing to do with it.
  const intended = tunnel.state === 'stopped' || tunnel.state === 'retired' || tunnel.state === 'draining';
  if (intended) return { why: tunnel.reason ?? undefined, error: null, next: undefined, link };
  const linkError = link !== undefined && link.state !== 'up' ? link.last_error : null;
  const error = tunnel.last_error ?? linkError ?? tunnel.probe?.last_error ?? null;
  return {
    why: tunnel.reason ?? error?.message ?? 'no reason is known yet',
    error,
    next: link && nextAttempt(link, now),
    link,
  };
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
        ? 'nothing by itself: somebody must fix this first'
        : `checks again ${when}, but somebody must fix this first${tried}`;
  }
}

/** Where the clients of a tunnel go, where there is something to say about it; undefined: through it, as ever. */
export function routeText({ route, cutover }: Pick<TunnelStatus, 'route' | 'cutover'>, now: Date): string | undefined {
  if (!cutover || (cutover.phase === 'idle' && cutover.reason === null && route === 'tunnel')) return undefined;
  const { phase, since, reason, successor, usage } = cutover;
  const where = route === 'tunnel' ? 'through the tunnel' : `to the successor ${printable(successor)}`;
  const use = route === 'tunnel' ? '' : `, ${usage.open} open there`;
  const why = reason === null ? '' : `: ${printable(reason)}`;
  return `new clients go ${where}${use}; cut-over ${phase.replaceAll('_', ' ')} for ${spanBetween(since, now)}${why}`;
}

/** Who uses a tunnel and when each was last seen, a line each; what nobody knows has no line. */
export function clientLines({ usage }: Pick<TunnelStatus, 'usage'>, now: Date): string[] {
  const { clients, other_clients } = usage;
  return [
    ...(clients ?? []).map((client) => `${clientText(client)}: ${use(client, now)}`),
    ...(other_clients === null ? [] : [`others, not looked at or long ago: ${use(other_clients, now)}`]),
  ];
}

function use({ open, connections_total, last_seen_at }: ClientStatus | OtherClientsStatus, now: Date): string {
  const all = connections_total === 1 ? '1 connection' : `${connections_total} connections`;
  return open > 0 ? `${all}, ${open} open now` : `${all}, last seen ${spanBetween(last_seen_at, now)} ago`;
}
