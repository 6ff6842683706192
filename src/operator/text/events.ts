import { printable } from '../../base/text/printable.ts';
import type { Entry } from '../../retirement/evidence/entry.ts';
import { tunnelsOf } from '../../retirement/evidence/tunnels-of.ts';

/** One entry on one line: time, subject, event, reason. Control characters are stripped. */
export function entryText(entry: Entry): string {
  return printable(`${when(entry.at)}  ${subject(entry)}: ${whatHappened(entry)}`);
}

/** The event and its reason, without the subject. May have control characters of others. */
export function whatHappened(entry: Entry): string {
  return [what(entry), ...why(entry)].join(': ');
}

/** Only these can lie between the first change of a reload and the line that ends the reload. */
const DURING_RELOAD = /^(tunnel\.(changed|removed|state|used)|session\.|link\.|credential\.)/;
/** A list of names is no longer. */
const MOST_NAMES = 8;

/**
 * Folds the entries of each reload into the one that ends the reload: a line for each of a thousand changed tunnels hides
 * all else. Pure.
 */
export function foldReloads(entries: readonly Entry[]): Entry[] {
  const folded: Entry[] = [];
  for (const entry of entries) {
    if (entry.event === 'config.reloaded') {
      const during = takeReload(folded);
      const names = (event: string) => during.filter((one) => one.event === event).flatMap(tunnelsOf);
      const lists = [listed('changed', names('tunnel.changed')), listed('removed', names('tunnel.removed'))];
      const { changes: summary } = entry;
      folded.push({ ...entry, changes: [summary, ...lists.filter((list) => list !== '')].join('; ') });
    } else {
      folded.push(entry);
    }
  }
  return folded;
}

/**
 * Folds neighbours that say the same of different tunnels into one entry with all their names: the loss of a host is one
 * event, not one for each of its tunnels. Pure.
 */
export function foldAlike(entries: readonly Entry[]): Entry[] {
  const folded: Entry[] = [];
  for (const entry of entries) {
    const last = folded.at(-1);
    const isAlike = last?.event === 'tunnel.state' && entry.event === 'tunnel.state';
    if (isAlike && whatHappened(last) === whatHappened(entry)) {
      folded[folded.length - 1] = { ...last, tunnels: [...tunnelsOf(last), ...tunnelsOf(entry)] };
    } else {
      folded.push(entry);
    }
  }
  return folded;
}

/** Takes the changes of a reload from the end of the list; all else stays. */
function takeReload(entries: Entry[]): Entry[] {
  const first = entries.findLastIndex(({ event }) => !DURING_RELOAD.test(event)) + 1;
  const during = entries.splice(first);
  const isChange = ({ event }: Entry) => event === 'tunnel.changed' || event === 'tunnel.removed';
  entries.push(...during.filter((entry) => !isChange(entry)));
  return during.filter(isChange);
}

function listed(what: string, names: readonly string[]): string {
  if (names.length === 0) return '';
  const more = names.length > MOST_NAMES ? ` and ${names.length - MOST_NAMES} more` : '';
  return `${what}: ${names.slice(0, MOST_NAMES).join(', ')}${more}`;
}

/** RFC 3339 to the second, with a space for the T. */
function when(at: string): string {
  return at.replace('T', ' ').replace(/\.\d+Z$/, 'Z');
}

/** What the entry is about: tunnels, a link, an actor, or a part of the daemon. */
export function subject(entry: Entry): string {
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
  if (event.startsWith('session.')) return session(entry);
  if (event === 'daemon.started') return `started (${String(version)})`;
  // Written before the command acts: a refused command is an entry as well.
  if (event.startsWith('operator.')) return `an operator ran \`fleet-mesh ${event.slice('operator.'.length)}\``;
  const [about = '', ...rest] = event.replaceAll('_', ' ').split('.');
  return (['daemon', 'tunnel', 'log', 'host', 'plan'].includes(about) ? rest : [about, ...rest]).join(' ');
}

/** `session 4 up (certificate), replaces session 3`. */
function session({ event, session: id, credential, replaces }: Entry): string {
  const what = event.slice('session.'.length).replaceAll('_', ' ');
  if (typeof id !== 'number') return `session ${what}`;
  const by = typeof credential === 'string' ? ` (${credential.replaceAll('_', ' ')})` : '';
  return `session ${id} ${what}${by}${typeof replaces === 'number' ? `, replaces session ${replaces}` : ''}`;
}

/** With the overridden blockers. */
function retired(overridden: unknown): string {
  const taken: readonly unknown[] = Array.isArray(overridden) ? overridden : [];
  const words = taken.map((each) => {
    const { code, reason } = each as { readonly code?: unknown; readonly reason?: unknown };
    return `${String(code)} overridden (${String(reason)})`;
  });
  return ['retired', ...words].join(', ');
}

function why({ reason, code, changes, error, evidence, problems }: Entry): string[] {
  const texts = [reason, changes, evidence, error, Array.isArray(problems) ? problems[0] : undefined];
  const said = texts.filter((text) => typeof text === 'string');
  return typeof code === 'string' ? [`${said.join(': ')} [${code}]`] : said;
}
