import type { FastifyInstance } from 'fastify';
import type { Sources } from '../sources.ts';

/** `GET /metrics`: always 200, because the metrics report the state of the tunnels. */
export function metricsRoute(app: FastifyInstance, sources: Sources): void {
  app.get('/metrics', async (_request, reply) => {
    await sources.refreshed();
    const page = await sources.metrics.render(sources.snapshot());
    return reply.type(sources.metrics.contentType).send(page);
  });
}
