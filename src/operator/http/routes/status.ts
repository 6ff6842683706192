import type { FastifyInstance } from 'fastify';
import { statusText } from '../../text/status.ts';
import { prefersPage, prefersText } from '../accept.ts';
import { sendNoSuchTunnel } from '../not-found.ts';
import { sendProblem } from '../problem.ts';
import { oneOf, readQuery } from '../query.ts';
import type { Sources } from '../sources.ts';
import { sendPage } from './page.ts';

/** `GET /status`: the snapshot, the table that `fleet-mesh status` prints, or the page for a browser. */
export function statusRoute(app: FastifyInstance, sources: Sources): void {
  app.get('/status', async (request, reply) => {
    const query = readQuery(request.query, { format: oneOf(['json', 'text']) });
    if ('problem' in query) return sendProblem(reply, query.problem);
    reply.header('vary', 'accept');
    const { format } = query.values;
    if (format === undefined && prefersPage(request.headers.accept)) return sendPage(reply);
    await sources.refreshed();
    const snapshot = sources.snapshot();
    await sources.recorded();
    const text = format === undefined ? prefersText(request.headers.accept) : format === 'text';
    if (text) return reply.type('text/plain; charset=utf-8').send(statusText(snapshot));
    return reply.send(snapshot);
  });
}

/** `GET /status/{tunnel}`: one tunnel out of the snapshot. */
export function tunnelRoute(app: FastifyInstance, sources: Sources): void {
  app.get<{ Params: { tunnel: string } }>('/status/:tunnel', async (request, reply) => {
    await sources.refreshed();
    const { tunnels } = sources.snapshot();
    await sources.recorded();
    const tunnel = tunnels.find(({ name }) => name === request.params.tunnel);
    return tunnel === undefined
      ? sendNoSuchTunnel(
          reply,
          tunnels.map(({ name }) => name),
        )
      : reply.send(tunnel);
  });
}
