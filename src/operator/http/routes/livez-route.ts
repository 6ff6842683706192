import type { FastifyInstance } from 'fastify';
import { sendProblem } from '../problem.ts';
import type { Sources } from '../sources.ts';

/** `GET /livez`: whether the daemon makes progress. That there is an answer at all proves the event loop. */
export function livezRoute(app: FastifyInstance, sources: Sources): void {
  app.get('/livez', (_request, reply) => {
    if (sources.alive()) return reply.send({ alive: true });
    return sendProblem(reply, {
      status: 503,
      code: 'not_alive',
      title: 'Not Alive',
      detail: 'The supervisor makes no progress: a restart is due.',
      members: { alive: false },
    });
  });
}
