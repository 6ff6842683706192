import { tunnelsOf } from '../../../retirement/evidence/tunnels-of.ts';
import { subject, whatHappened } from '../../text/events.ts';
import { linkTo } from './route.ts';
import type { Event } from './types.ts';
import { clock, shown } from './words.ts';

/** Of an event about many tunnels. */
const MOST_NAMES = 4;

interface EventsProps {
  readonly title: string;
  /** Newest first. */
  readonly events: readonly Event[];
  /** Whether older ones may be missing: the daemon keeps a thousand events in memory. */
  readonly isCut?: boolean;
  readonly now: number;
}

/** Events, newest first. */
export function Events({ events, isCut, now, title }: EventsProps) {
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
            <span>{shown(whatHappened(event)).replace(' -> ', ' → ')}</span>
          </li>
        ))}
      </ul>
      {isCut === true && <p class="muted small">Older events are in the files of the state directory.</p>}
    </section>
  );
}

function Subject({ event }: { readonly event: Event }) {
  const tunnels = tunnelsOf(event);
  if (tunnels.length === 0) return <span>{shown(subject(event))}</span>;
  const more = tunnels.length - MOST_NAMES;
  return (
    <span>
      {tunnels.slice(0, MOST_NAMES).map((tunnel, index) => (
        <span key={tunnel}>
          {index > 0 && ', '}
          <a href={linkTo(tunnel)}>{shown(tunnel)}</a>
        </span>
      ))}
      {more > 0 && ` and ${more} more`}
    </span>
  );
}
