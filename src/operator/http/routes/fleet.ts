import type { FastifyInstance } from 'fastify';
import { scrapeTargetsOf } from '../../fleet/scrape.ts';
import { sendProblem } from '../problem.ts';
import { readQuery } from '../query.ts';
import type { Sources } from '../sources.ts';

/** `GET /fleet`: every node that the links reach. `GET /sd`: the same nodes as targets for Prometheus. */
export function fleetRoute(app: FastifyInstance, sources: Sources): void {
  app.get('/fleet', async (request, reply) => {
    const query = readQuery(request.query, {});
    if ('problem' in query) return sendProblem(reply, query.problem);
    return reply.send(await sources.fleet());
  });

  app.get('/sd', async (request, reply) => {
    const query = readQuery(request.query, {});
    if ('problem' in query) return sendProblem(reply, query.problem);
    return reply.send(scrapeTargetsOf(await sources.fleet()));
  });
}
