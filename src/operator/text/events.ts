import { z } from 'zod';
import { printable } from '../../base/text/printable.ts';
import type { Entry } from '../../retirement/evidence/entry.ts';
import { tunnelsOf } from '../../retirement/evidence/selection.ts';

/** One entry on one line: time, subject, event, reason. Control characters are stripped. */
export function entryText(entry: Entry): string {
  const text = [`${when(entry.at)}  ${subject(entry)}: ${what(entry)}`, ...why(entry)].join(': ');
  return printable(text);
}

/** RFC 3339 to the second, with a space for the T. */
function when(at: string): string {
  return at.replace('T', ' ').replace(/\.\d+Z$/, 'Z');
}

function subject(entry: Entry): string {
  const { host, actor, event } = entry;
  const tunnels = tunnelsOf(entry);
  if (tunnels.length > 0) return tunnels.join(', ');
  if (typeof host === 'string') return event.startsWith('host.') ? `host ${host}` : `link to ${host}`;
  if (typeof actor === 'string') return actor;
  if (event.startsWith('plan.')) return 'plan';
  return event.startsWith('log.') ? 'evidence' : 'daemon';
}

function what(entry: Entry): string {
  const {
    event,
    from,
    to,
    version,
    passing_since: passing,
    overridden,
    gate,
    step,
    by,
    user,
    release,
    previous,
  } = entry;
  if (event === 'tunnel.state') return from === null || from === to ? String(to) : `${String(from)} -> ${String(to)}`;
  if (event === 'cutover.phase') return `cut-over ${String(from)} -> ${String(to)}`;
  if (event === 'cutover.resumed') return `cut-over resumed: ${String(from)} -> ${String(to)}`;
  if (event === 'tunnel.used') return 'used again';
  if (event === 'successor.checked')
    return passing === null ? 'its successor is unhealthy' : 'its successor is healthy';
  if (event === 'tunnel.retired') return retired(overridden);
  if (event === 'plan.approved') return `gate ${String(gate)} approved by ${String(by)} (account ${String(user)})`;
  if (event === 'plan.done') return `step ${String(step)} done (account ${String(user)})`;
  if (event === 'release.promoted') return `release ${String(release)} promoted (account ${String(user)})`;
  if (event === 'release.rolled_back')
    return `release ${String(release)} rolled back to ${String(previous)} (account ${String(user)})`;
  if (event === 'daemon.started') return `started (${String(version)})`;
  const [about = '', ...rest] = event.replaceAll('_', ' ').split('.');
  return (['daemon', 'tunnel', 'log', 'host', 'plan'].includes(about) ? rest : [about, ...rest]).join(' ');
}

/** With the overridden blockers. */
function retired(overridden: unknown): string {
  const taken = z.array(z.object({ code: z.string(), reason: z.string() })).safeParse(overridden).data ?? [];
  const words = taken.map(({ code, reason }) => `${code} overridden (${reason})`);
  return ['retired', ...words].join(', ');
}

function why({ reason, code, changes, error, evidence, problems }: Entry): string[] {
  const texts = [reason, changes, evidence, error, Array.isArray(problems) ? problems[0] : undefined];
  const said = texts.filter((text) => typeof text === 'string');
  return typeof code === 'string' ? [`${said.join(': ')} [${code}]`] : said;
}
