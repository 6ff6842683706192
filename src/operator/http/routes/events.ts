import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { EventsAnswer } from '../../../retirement/evidence/entry.ts';
import { isSelected, parseSince, type Selection, SINCE_EXPECTED } from '../../../retirement/evidence/selection.ts';
import { tunnelsOf } from '../../../retirement/evidence/tunnels-of.ts';
import { prefersEvents } from '../accept.ts';
import { EventStreams } from '../event-streams.ts';
import { sendNoSuchTunnel } from '../not-found.ts';
import { sendProblem } from '../problem.ts';
import { invalid, readQuery, text } from '../query.ts';
import type { EventFeed, Sources } from '../sources.ts';

/** `GET /events?since=…&tunnel=…`: past events from the evidence; as a stream, new events follow. */
export function eventsRoute(app: FastifyInstance, sources: Sources): void {
  const streams = new EventStreams();
  app.addHook('preClose', async () => streams.close());

  app.get('/events', async (request, reply) => {
    reply.header('vary', 'accept');
    const query = readQuery(request.query, { since: text, tunnel: text });
    if ('problem' in query) return sendProblem(reply, query.problem);
    const { since: asked, tunnel } = query.values;
    const since = asked === undefined ? undefined : parseSince(asked, new Date());
    if (asked !== undefined && since === undefined)
      return sendProblem(reply, invalid(`"since" must be ${SINCE_EXPECTED}.`));
    await sources.opened();
    const { tunnels, evidence } = sources.snapshot();
    // A removed tunnel still has past events.
    const known = new Set([...tunnels.map(({ name }) => name), ...sources.events.entries.flatMap(tunnelsOf)]);
    if (tunnel !== undefined && !known.has(tunnel)) return sendNoSuchTunnel(reply, [...known]);

    const selection = { since, tunnel };
    if (!prefersEvents(request.headers.accept)) {
      const answer: EventsAnswer = {
        schema: 1,
        now: new Date().toISOString(),
        complete: sources.events.reachesTime(since),
        head: evidence.head,
        events: sources.events.entries.filter((entry) => isSelected(entry, selection)),
      };
      return reply.send(answer);
    }
    if (streams.full)
      return sendProblem(reply, {
        status: 503,
        code: 'too_many_streams',
        title: 'Too Many Streams',
        detail: 'Too many clients follow events. Close one, or try again later.',
        headers: { 'retry-after': '30' },
      });
    const first = backlog(sources.events, selection, lastEventId(request));
    reply.hijack();
    streams.start(reply.raw, first, (follower) =>
      sources.events.follow((entry) => {
        if (isSelected(entry, { tunnel })) follower(entry);
      }),
    );
    if (request.method === 'HEAD') reply.raw.end();
    return reply;
  });
}

/** A returning client gets the events that it missed. A client with `since` gets all events since then. Others get only new events. */
function backlog(events: EventFeed, selection: Selection, after: number | undefined) {
  if (after !== undefined) {
    const entries = events.entries.filter(
      (entry) => entry.seq > after && isSelected(entry, { ...selection, since: undefined }),
    );
    return { gap: !events.reachesEntry(after), entries };
  }
  if (selection.since === undefined) return { gap: false, entries: [] };
  const entries = events.entries.filter((entry) => isSelected(entry, selection));
  return { gap: !events.reachesTime(selection.since), entries };
}

function lastEventId({ headers }: FastifyRequest): number | undefined {
  const id = headers['last-event-id'];
  return typeof id === 'string' && /^\d{1,15}$/.test(id) ? Number(id) : undefined;
}
