import type { FastifyInstance } from 'fastify';
import { sendNoSuchTunnel } from '../not-found.ts';
import type { Sources } from '../sources.ts';

/** `GET /status/{tunnel}`: one tunnel out of the snapshot. */
export function tunnelRoute(app: FastifyInstance, sources: Sources): void {
  app.get<{ Params: { tunnel: string } }>('/status/:tunnel', async (request, reply) => {
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
