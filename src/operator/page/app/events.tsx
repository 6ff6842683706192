import { linkTo } from './route.ts';
import type { Event } from './types.ts';
import { clock, shown } from './words.ts';

/** Events, newest first. */
export function Events({ events, now, title }: { events: readonly Event[]; now: number; title: string }) {
  return (
    <section aria-labelledby="events">
      <h2 id="events">{title}</h2>
      {events.length === 0 && <p class="muted">Nothing happened yet.</p>}
      <ul class="plain events">
        {events.map((event) => (
          <li key={event.seq}>
            <time class="muted" dateTime={event.at}>
              {clock(event.at, now)}
            </time>
            <Subject event={event} />
            <span>{whatHappened(event)}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Subject({ event }: { readonly event: Event }) {
  const { tunnel, host, actor } = event;
  if (typeof tunnel === 'string') return <a href={linkTo(tunnel)}>{shown(tunnel)}</a>;
  const name = typeof host === 'string' ? host : typeof actor === 'string' ? actor : 'daemon';
  return <span>{shown(name)}</span>;
}

function whatHappened({ event, from, to, reason, code, changes }: Event): string {
  const states = typeof to === 'string' ? `${typeof from === 'string' && from !== to ? `${from} → ` : ''}${to}` : '';
  const what = states === '' ? event.replaceAll('_', ' ').replace('.', ' ') : states;
  const why = [reason, changes].filter((text) => typeof text === 'string').join(': ');
  const tail = `${why === '' ? '' : `: ${why}`}${typeof code === 'string' ? ` [${code}]` : ''}`;
  return shown(`${what}${tail}`);
}
