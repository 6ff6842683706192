import type { FastifyInstance } from 'fastify';
import { sendProblem } from '../problem.ts';
import type { Sources } from '../sources.ts';

/** `GET /plan`: the drain plan in force, with what follows from it for the tunnels of this node. */
export function planRoute(app: FastifyInstance, sources: Sources): void {
  app.get('/plan', (_request, reply) => {
    const plan = sources.plan();
    if (plan !== undefined) return reply.send(plan);
    const { plan: status } = sources.snapshot();
    if (status === null) {
      return sendProblem(reply, {
        status: 404,
        code: 'no_plan',
        title: 'No Plan',
        detail: 'The configuration names no drain plan: plan: FILE at its top does.',
      });
    }
    return sendProblem(reply, {
      status: 503,
      code: 'plan_unusable',
      title: 'Plan Unusable',
      detail: `No drain plan is in force: ${status.last_load.error}`,
    });
  });
}
