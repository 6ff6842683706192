import type { FastifyInstance } from 'fastify';
import { sendProblem } from '../problem.ts';
import type { Sources } from '../sources.ts';

/** `GET /plan`: the drain plan in force, with its consequences for the tunnels of this node. */
export function planRoute(app: FastifyInstance, sources: Sources): void {
  app.get('/plan', async (_request, reply) => {
    await sources.refreshed();
    const plan = sources.plan();
    if (plan !== undefined) return reply.send(plan);
    const { plan: status } = sources.snapshot();
    if (status === null) {
      return sendProblem(reply, {
        status: 404,
        code: 'no_plan',
        title: 'No Plan',
        detail: 'No drain plan is configured. Add plan: FILE at the top level of the tunnel YAML.',
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
