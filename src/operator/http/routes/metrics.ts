import type { FastifyInstance } from 'fastify';
import type { Sources } from '../sources.ts';

/**
 * `GET /metrics`: always 200, because the metrics report the state of the tunnels. Requests that arrive while a page is
 * made get the same page: many clients at once cost no more than one.
 */
export function metricsRoute(app: FastifyInstance, sources: Sources): void {
  let underWay: Promise<Buffer> | undefined;
  const render = (): Promise<Buffer> => {
    underWay ??= makePage(sources).finally(() => {
      underWay = undefined;
    });
    return underWay;
  };
  app.get('/metrics', async (_request, reply) => reply.type(sources.metrics.contentType).send(await render()));
}

async function makePage(sources: Sources): Promise<Buffer> {
  await sources.refreshed();
  return Buffer.from(await sources.metrics.render(sources.snapshot()));
}
