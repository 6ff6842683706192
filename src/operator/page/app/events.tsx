import { tunnelsOf } from '../../../retirement/evidence/tunnels-of.ts';
import { subject, whatHappened } from '../../text/events.ts';
import { linkTo } from './route.ts';
import type { Event } from './types.ts';
import { clock, shown } from './words.ts';

/** Events, newest first. */
export function Events({ events, now, title }: { events: readonly Event[]; now: number; title: string }) {
  return (
    <section aria-labelledby="events">
      <h2 id="events">{title}</h2>
      {events.length === 0 && <p class="muted">No recent event.</p>}
      <ul class="plain events">
        {events.map((event) => (
          <li key={event.seq}>
            <time class="muted" dateTime={event.at}>
              {clock(event.at, now)}
            </time>
            <Subject event={event} />
            <span>{shown(whatHappened(event))}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Subject({ event }: { readonly event: Event }) {
  const [tunnel, ...others] = tunnelsOf(event);
  if (tunnel === undefined || others.length > 0) return <span>{shown(subject(event))}</span>;
  return <a href={linkTo(tunnel)}>{shown(tunnel)}</a>;
}
