import { printable } from '../../base/text/printable.ts';
import { spanBetween } from '../../base/text/span.ts';
import type { VerdictAnswer } from '../../retirement/drain/answer.ts';
import type { LinkStatus, Status, TunnelStatus } from '../../telemetry/status/status.ts';
import { clientLines, type Explanation, explain, routeText } from './explain.ts';

/** The JSON of `fleet-mesh why --json`. Names as in the snapshot. */
export function whyJson(tunnel: TunnelStatus, status: Status, drain?: VerdictAnswer) {
  const { why, error, also, next, link } = explain(tunnel, status);
  return {
    name: tunnel.name,
    state: tunnel.state,
    since: tunnel.since,
    reason: why ?? null,
    error,
    fix: error?.hint ?? null,
    also,
    next: next ?? null,
    next_attempt_at: link?.next_attempt_at ?? null,
    listen: tunnel.listen,
    target: tunnel.target,
    production: tunnel.production,
    route: tunnel.route,
    cutover: tunnel.cutover,
    link: link ?? null,
    probe: tunnel.probe,
    usage: tunnel.usage,
    last_error: tunnel.last_error,
    drain: drain ?? null,
  };
}

/**
 * The text of `fleet-mesh why`: first the cause and the fix, then the facts. Text from other machines is stripped of
 * control characters.
 */
export function whyText(tunnel: TunnelStatus, status: Status, drain?: VerdictAnswer): string {
  const { why, error, also, next, link } = explain(tunnel, status);
  const { now } = status;
  const ago = (instant: Date) => `${spanBetween(instant, now)} ago`;
  const lines: [label: string, text: string | undefined][] = [
    ['why', why === undefined ? wellBecause(tunnel, ago) : causeText(why, error)],
    ['fix', error === null ? wayBack(tunnel) : printable(error.hint)],
    ['also', also === null ? undefined : `${printable(also.message)} [${also.code}]`],
    ['fix', also === null ? undefined : printable(also.hint)],
    ['next', next],
    ['way', `${printable(tunnel.listen)} ${tunnel.direction === 'remote' ? '<-' : '->'} ${printable(tunnel.target)}`],
    ['route', routeText(tunnel, now)],
    ['link', link === undefined ? 'none: no tunnel needs a link now' : linkText(link, now)],
    ['credential', link === undefined ? undefined : credentialText(link, now)],
    ['probe', probeText(tunnel, ago)],
    ['use', useText(tunnel, ago)],
    ...clientLines(tunnel, now).map((text, index): [string, string] => [index === 0 ? 'clients' : '', text]),
    ...drainLines(drain, now),
    ['last error', lastError(tunnel, error?.message, ago)],
    ['note', tunnel.note === null ? undefined : printable(tunnel.note)],
    ['reload', refusedReload(status, ago)],
  ];
  const shown = lines.flatMap(([label, text]) =>
    text === undefined ? [] : [`  ${(label === '' ? '' : `${label}:`).padEnd(12)}${text}`],
  );
  const rank = tunnel.production ? ' (production)' : '';
  const since = `since ${tunnel.since.toISOString().replace(/\.\d+Z$/, 'Z')} (${spanBetween(tunnel.since, now)})`;
  return `${[`${printable(tunnel.name)}${rank} is ${tunnel.state} ${since}`, ...shown].join('\n')}\n`;
}

/** The retirement verdict, and each reason against it with the condition that clears it. */
function drainLines(drain: VerdictAnswer | undefined, now: Date): [label: string, text: string][] {
  if (drain === undefined || drain.verdict === null) return [];
  const reasons = [...drain.blockers, ...drain.unknowns].map(({ code, message, clears_when, clears_at }) => {
    const left = clears_at === null ? '' : ` (in ${spanBetween(now, new Date(clears_at))} at the earliest)`;
    return `${code}: ${printable(message)}; clears when ${printable(clears_when)}${left}`;
  });
  const texts = [printable(drain.message), ...reasons];
  return texts.map((text, index) => [index === 0 ? 'drain' : '', text]);
}

/** The cause with its code, unless the cause names the code. */
function causeText(why: string, error: Explanation['error']): string {
  const code = error === null || why.endsWith(`[${error.code}]`) ? '' : ` [${error.code}]`;
  return `${printable(why)}${code}`;
}

type Ago = (instant: Date) => string;

/** Why the tunnel counts as well. */
function wellBecause({ probe, state }: TunnelStatus, ago: Ago): string {
  if (state !== 'up') return 'cause not known';
  if (probe?.state !== 'passing') return 'the link is up; the target is not probed';
  return `the tunnel is up: the probe reached the target${probe.last_at === null ? '' : ` ${ago(probe.last_at)}`}`;
}

function wayBack({ state, name }: TunnelStatus): string | undefined {
  return state === 'stopped' || state === 'retired' ? `\`fleet-mesh up ${printable(name)}\`` : undefined;
}

function linkText(link: LinkStatus, now: Date): string {
  const sessions = link.sessions.map(({ id, role, since }) => `session ${id} ${role} for ${spanBetween(since, now)}`);
  const missing = link.replacement === null ? [] : [`replacement ${link.replacement.state}`];
  return [
    `${printable(link.host)} as ${printable(link.actor)} is ${link.state}`,
    ...(sessions.length === 0 ? ['no session'] : sessions),
    ...(link.state === 'up' ? missing : []),
  ].join(', ');
}

/** The credential of the link, its expiry, and whether its static fallback key can be removed. */
function credentialText({ credential }: LinkStatus, now: Date): string {
  const { type, fingerprint, serial, valid_before, restrictions, renewal, static_key } = credential;
  const until =
    valid_before === null
      ? undefined
      : renewal?.state === 'not_yet_valid'
        ? 'not valid yet by the clock of this node'
        : valid_before > now
          ? `valid for ${spanBetween(now, valid_before)}`
          : `expired ${spanBetween(valid_before, now)} ago`;
  const trouble = renewal?.last_error;
  return [
    [type.replaceAll('_', ' '), serial, fingerprint]
      .filter((part) => part !== null)
      .map((part) => printable(part))
      .join(' '),
    until,
    restrictions?.length ? `restricted: ${restrictions.map((each) => printable(each)).join(', ')}` : undefined,
    trouble ? `not renewed: ${printable(trouble.message)} (${printable(trouble.hint)})` : undefined,
    static_key?.verdict,
  ]
    .filter((part) => part !== undefined)
    .join('; ');
}

function probeText({ probe, state }: Pick<TunnelStatus, 'probe' | 'state'>, ago: Ago): string {
  // Out of service a tunnel has no probe, whatever the file says.
  if (probe === null)
    return state === 'stopped' || state === 'retired' ? 'none while out of service' : 'none configured';
  const never = state === 'down' ? ', not run while the tunnel is down' : ', not run yet';
  const when = probe.last_at === null ? never : `, last run ${ago(probe.last_at)}`;
  const failures = probe.consecutive_failures === 0 ? '' : `, ${probe.consecutive_failures} failures in a row`;
  const said = probe.last_error === null || probe.state === 'passing' ? '' : `: ${printable(probe.last_error.message)}`;
  return `${probe.state}${when}${failures}${said}`;
}

function useText({ usage }: TunnelStatus, ago: Ago): string {
  const active =
    usage.last_activity_at === null ? 'not used since the daemon started' : `last used ${ago(usage.last_activity_at)}`;
  return `${usage.open} open, ${usage.held} waiting, ${usage.opened_total} served, ${usage.failed_total} failed; ${active}`;
}

/** The last error, unless the line `why` already shows the same error. */
function lastError({ last_error }: TunnelStatus, shown: string | undefined, ago: Ago): string | undefined {
  if (last_error === null || last_error.message === shown) return undefined;
  return `${ago(last_error.at)}: ${printable(last_error.message)} [${last_error.code}]`;
}

function refusedReload({ config: { last_reload } }: Status, ago: Ago): string | undefined {
  if (last_reload === null || last_reload.ok) return undefined;
  return `REJECTED ${ago(last_reload.at)}; the previous configuration is still active: ${printable(last_reload.error ?? '')}`;
}
