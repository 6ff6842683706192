import { printable } from '../../base/text/printable.ts';
import { spanBetween } from '../../base/text/span.ts';
import type {
  CredentialStatus,
  LinkStatus,
  SessionStatus,
  Status,
  TunnelStatus,
} from '../../telemetry/status/status.ts';
import { failingReplacements, replacementText } from '../../tunnels/link/advisories.ts';
import { type Column, table } from './columns.ts';
import { clientLines, explain, nextReplacement, routeText } from './explain.ts';
import { type Paint, PLAIN, paintFor } from './paint.ts';

export interface TextOptions {
  /** ANSI colours. */
  readonly colour?: boolean;
  /**
   * Width of the terminal, in columns: too narrow, and less important table columns are left out, which the text says. Notes
   * and reasons stay. Unlimited when absent or 0.
   */
  readonly columns?: number | undefined;
  /** Also list the clients of each tunnel. */
  readonly clients?: boolean;
}

/**
 * The snapshot as a table: the output of `fleet-mesh status` and `/status?format=text`. Cause, fix and next step
 * follow each failure. Text from other machines is stripped of control characters.
 */
export function statusText(status: Status, options: TextOptions = {}): string {
  const paint = options.colour === true ? paintFor : PLAIN;
  const columns = options.columns === 0 ? undefined : options.columns;
  const sections = [
    header(status, paint),
    tunnelLines(status, paint, columns),
    options.clients === true ? clientSection(status) : [],
    linkLines(status, paint, columns),
    status.advisories.map(({ code, message }) => `advisory: ${printable(message)} [${printable(code)}]`),
  ];
  const filled = sections.filter((lines) => lines.length > 0);
  return `${filled.map((lines) => lines.join('\n')).join('\n\n')}\n`;
}

function header(status: Status, paint: Paint): string[] {
  const { config } = status;
  const state = paint(status.state)(status.state.toUpperCase());
  const reason = status.reason === null ? '' : `: ${printable(status.reason)}`;
  const reload = config.last_reload;
  return [
    `${printable(status.node)} is ${state}${reason}`,
    `fleet-mesh ${printable(status.version)}, running for ${spanBetween(status.started_at, status.now)}, ` +
      `config ${printable(config.path)} loaded ${spanBetween(config.loaded_at, status.now)} ago`,
    ...(reload === null || reload.ok
      ? []
      : [
          `${paint('down')('RELOAD REJECTED')} ${spanBetween(reload.at, status.now)} ago; ` +
            `the previous configuration is still active: ${printable(reload.error ?? 'no reason given')}`,
        ]),
    ...systemdLines(status.systemd),
  ];
}

/** Only problems that need a fix. */
function systemdLines({ notify, sockets }: Status['systemd']): string[] {
  const problems = sockets.flatMap(({ problem }) => problem ?? []);
  return [
    ...(notify === 'none' ? ['systemd: the daemon cannot send its state to systemd'] : []),
    ...problems.map((problem) => `systemd: ${printable(problem)}`),
  ];
}

function tunnelLines(status: Status, paint: Paint, width: number | undefined): string[] {
  if (status.tunnels.length === 0) return ['No tunnels are configured.'];
  const columns = tunnelColumns(status, paint);
  // The same remark at each of several tunnels hides the notes: one line says the same.
  const none = status.tunnels.length > 1 && status.tunnels.every(({ production }) => !production);
  const note = (tunnel: TunnelStatus) => noteText(tunnel, !none);
  const hasNotes = status.tunnels.some((tunnel) => note(tunnel) !== '');
  const noteColumn = { title: 'NOTE', cell: (tunnel: TunnelStatus) => ({ text: note(tunnel) }), dropped: 6 };
  const whole = table(hasNotes ? [...columns, noteColumn] : columns, status.tunnels, width);
  // A note is never left out: without room beside the other columns it has its own line.
  const isWide = whole.leftOut.length === 0;
  const { lines, leftOut } = isWide ? whole : table(columns, status.tunnels, width);
  const [title = '', ...rows] = lines;
  return [
    title,
    ...status.tunnels.flatMap((tunnel, index) => [
      rows[index] ?? '',
      ...(isWide || note(tunnel) === '' ? [] : [`  note: ${note(tunnel)}`]),
      ...explainLines(tunnel, status),
    ]),
    ...(none ? ['(no tunnel is production)'] : []),
    ...leftOutLines(leftOut, width),
  ];
}

const DAY_MS = 86_400_000;

/** With the observed time, if that is less than the whole day. */
const availabilityColumn = (now: Date): Column<TunnelStatus> => ({
  title: 'UP 24H',
  cell: ({ availability, observed_since: since }) => {
    const share = availability?.['24h'] ?? null;
    const observed =
      share === null || since === null || now.getTime() - since.getTime() >= DAY_MS
        ? ''
        : ` of ${spanBetween(since, now)}`;
    return { text: `${percent(share)}${observed}` };
  },
  align: 'right',
  dropped: 5,
});

/** Only if a tunnel has a verdict. */
const DRAIN: Column<TunnelStatus> = {
  title: 'DRAIN',
  cell: ({ retirement }) => ({ text: drainText(retirement) }),
  dropped: 5,
};

function drainText(retirement: TunnelStatus['retirement']): string {
  if (retirement === null) return '';
  const { verdict, blockers, unknowns } = retirement;
  return verdict === 'retirable' ? verdict : `${verdict} (${blockers.length + unknowns.length})`;
}

function tunnelColumns({ now, tunnels }: Status, paint: Paint): Column<TunnelStatus>[] {
  return [
    { title: 'TUNNEL', cell: ({ name }) => ({ text: printable(name) }) },
    { title: 'STATE', cell: ({ state }) => ({ text: state, paint: paint(state) }) },
    { title: 'SINCE', cell: ({ since }) => ({ text: spanBetween(since, now) }), dropped: 1 },
    {
      title: 'LISTEN -> TARGET',
      cell: (tunnel) => ({ text: `${printable(tunnel.listen)} ${arrow(tunnel)} ${printable(tunnel.target)}` }),
      dropped: 2,
    },
    { title: 'PROBE', cell: ({ probe }) => ({ text: probeText(probe) }), dropped: 3 },
    { title: 'OPEN', cell: ({ usage }) => ({ text: String(usage.open) }), align: 'right', dropped: 4 },
    { title: 'HELD', cell: ({ usage }) => ({ text: String(usage.held) }), align: 'right', dropped: 4 },
    { title: 'SENT', cell: ({ usage }) => ({ text: bytes(usage.bytes_to_target) }), align: 'right', dropped: 5 },
    { title: 'RECEIVED', cell: ({ usage }) => ({ text: bytes(usage.bytes_from_target) }), align: 'right', dropped: 5 },
    ...(tunnels.some(({ availability }) => availability !== null) ? [availabilityColumn(now)] : []),
    ...(tunnels.some(({ retirement }) => retirement !== null) ? [DRAIN] : []),
  ];
}

function leftOutLines(leftOut: readonly string[], width: number | undefined): string[] {
  if (leftOut.length === 0) return [];
  return [`(${width} columns have no room for ${leftOut.join(', ')}; --json has everything)`];
}

/** The lines below a tunnel that is not up: cause, fix, next step. */
function explainLines(tunnel: TunnelStatus, status: Status): string[] {
  const route = routeText(tunnel, status.now);
  const routeLines = route === undefined ? [] : [`  route: ${route}`];
  if (tunnel.state === 'up') return routeLines;
  const { why, error, also, next } = explain(tunnel, status);
  return [
    ...(why === undefined ? [] : [`  why:  ${printable(why)}${error === null ? '' : ` [${error.code}]`}`]),
    ...(error === null ? [] : [`  fix:  ${printable(error.hint)}`]),
    ...(also === null ? [] : [`  also: ${printable(also.message)} [${also.code}]`, `  fix:  ${printable(also.hint)}`]),
    ...(next === undefined ? [] : [`  next: ${next}`]),
    ...routeLines,
  ];
}

function clientSection({ tunnels, now }: Status): string[] {
  const lines = tunnels.flatMap((tunnel) => clientLines(tunnel, now));
  return lines.length === 0 ? [] : ['CLIENTS', ...lines.map((line) => `  ${line}`)];
}

function linkLines(status: Status, paint: Paint, width: number | undefined): string[] {
  if (status.links.length === 0) return [];
  const columns: Column<LinkStatus>[] = [
    { title: 'LINK', cell: (link) => ({ text: linkText(link) }) },
    { title: 'STATE', cell: ({ state }) => ({ text: state, paint: paint(state) }) },
    { title: 'CREDENTIAL', cell: ({ credential }) => ({ text: credential.type.replaceAll('_', ' ') }), dropped: 1 },
    ...(status.links.some(({ credential }) => credential.renewal !== null) ? renewalColumns(status.now) : []),
  ];
  const { lines, leftOut } = table(columns, status.links, width);
  const [title = '', ...rows] = lines;
  return [
    title,
    ...status.links.flatMap((link, index) => [
      rows[index] ?? '',
      ...link.sessions.map((session) => sessionLine(session, link, status.now)),
      ...replacementLines(link, status.now),
    ]),
    ...leftOutLines(leftOut, width),
  ];
}

/** The lines below a link that serves but cannot replace its sessions. */
function replacementLines(link: LinkStatus, now: Date): string[] {
  const [failing] = failingReplacements([link]);
  const error = failing?.replacement?.last_error;
  if (!failing || !error) return [];
  return [
    `  why:  ${printable(replacementText(failing))}`,
    `  fix:  ${printable(error.hint)}`,
    `  next: ${nextReplacement(failing, now)}`,
  ];
}

function linkText({ host, actor, jump }: LinkStatus): string {
  return `${printable(host)} as ${printable(actor)}${jump === null ? '' : ` via ${printable(jump)}`}`;
}

/** Only if a `cert_command` renews certificates. */
function renewalColumns(now: Date): Column<LinkStatus>[] {
  const validFor = ({ serial, valid_before, renewal }: CredentialStatus) =>
    serial === null
      ? renewal && 'none yet'
      : renewal?.state === 'not_yet_valid'
        ? 'not valid yet'
        : leftText(valid_before, now);
  const renewed = ({ renewal, renew_at }: CredentialStatus) => {
    if (renewal === null || renew_at === null) return null;
    const next = `in ${spanBetween(now, renew_at)}`;
    return renewal.state === 'failing' ? `failing, again ${next}` : next;
  };
  return [
    { title: 'CERTIFICATE', cell: ({ credential }) => ({ text: validFor(credential) ?? '' }), dropped: 2 },
    { title: 'RENEWAL', cell: ({ credential }) => ({ text: renewed(credential) ?? '' }), dropped: 3 },
  ];
}

function leftText(validBefore: Date | null, now: Date): string {
  if (validBefore === null) return 'no expiry';
  return validBefore <= now ? 'expired' : `${spanBetween(now, validBefore)} left`;
}

/** The credential of the session, if its kind or its expiry differs from the credential of the link. */
function sessionCredential(
  { credential_type: type, authenticated_until: until }: SessionStatus,
  link: LinkStatus,
  now: Date,
): string[] {
  const { credential } = link;
  if (type === credential.type && until?.getTime() === credential.valid_before?.getTime()) return [];
  return [`by ${type.replaceAll('_', ' ')}`, ...(until === null ? [] : [leftText(until, now)])];
}

function sessionLine(session: SessionStatus, link: LinkStatus, now: Date): string {
  const connections = session.connections === 1 ? '1 connection' : `${session.connections} connections`;
  const trip = session.rtt_ms === null ? [] : [`rtt ${milliseconds(session.rtt_ms)}`];
  const parts = [
    ...sessionCredential(session, link, now),
    `up ${spanBetween(session.since, now)}`,
    connections,
    ...trip,
    printable(session.server),
  ];
  return `  session ${session.id} ${session.role}: ${parts.join(', ')}`;
}

/** The direction in which connections open; this node is on the left. */
function arrow({ direction }: TunnelStatus): string {
  return direction === 'remote' ? '<-' : '->';
}

function probeText(probe: TunnelStatus['probe']): string {
  if (probe === null) return 'none';
  if (probe.state === 'failing') return `failing ${probe.consecutive_failures}x`;
  if (probe.state === 'passing' && probe.latency_ms !== null) return `passing ${milliseconds(probe.latency_ms)}`;
  return probe.state;
}

function noteText({ production, note }: TunnelStatus, withRank: boolean): string {
  const rank = withRank && !production ? '(not production) ' : '';
  return `${rank}${printable(note ?? '')}`.trim();
}

function milliseconds(ms: number): string {
  return `${ms < 10 ? Number(ms.toFixed(1)) : Math.round(ms)} ms`;
}

/** Cut, not rounded: a short outage must not read as 100 %. */
function percent(share: number | null): string {
  return share === null ? '-' : `${(Math.floor(share * 10_000) / 100).toFixed(2)} %`;
}

function bytes(count: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = count < 1_024 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(count) / 10));
  const value = count / 1_024 ** power;
  return `${power === 0 || value >= 100 ? Math.floor(value) : value.toFixed(1)} ${units[power]}`;
}
