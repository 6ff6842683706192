import type { FastifyInstance } from 'fastify';
import type { Status } from '../../../telemetry/status/status.ts';
import { statusText } from '../../text/status.ts';
import { prefersPage, prefersText } from '../accept.ts';
import { jsonText } from '../json-text.ts';
import { sendNoSuchTunnel } from '../not-found.ts';
import { sendProblem } from '../problem.ts';
import { oneOf, readQuery } from '../query.ts';
import { Shared } from '../shared.ts';
import type { Sources } from '../sources.ts';
import { sendPage } from './page.ts';

/** `GET /status`: the snapshot, the table that `fleet-mesh status` prints, or the page for a browser. */
export function statusRoute(app: FastifyInstance, sources: Sources): void {
  const shared = new Shared(async () => {
    await sources.refreshed();
    const snapshot = sources.snapshot();
    await sources.recorded();
    return new Bodies(snapshot);
  });
  app.get('/status', async (request, reply) => {
    const query = readQuery(request.query, { format: oneOf(['json', 'text']) });
    if ('problem' in query) return sendProblem(reply, query.problem);
    reply.header('vary', 'accept');
    const { format } = query.values;
    if (format === undefined && prefersPage(request.headers.accept)) return sendPage(reply);
    const bodies = await shared.get();
    const text = format === undefined ? prefersText(request.headers.accept) : format === 'text';
    if (text) return reply.type('text/plain; charset=utf-8').send(bodies.text);
    return reply.type('application/json; charset=utf-8').send(bodies.json);
  });
}

/** A snapshot as bytes, made once for all of its readers: clients that do not read share the memory. */
class Bodies {
  readonly #snapshot: Status;
  #json: Buffer | undefined;
  #text: Buffer | undefined;

  constructor(snapshot: Status) {
    this.#snapshot = snapshot;
  }

  get json(): Buffer {
    this.#json ??= Buffer.from(jsonText(this.#snapshot));
    return this.#json;
  }

  get text(): Buffer {
    this.#text ??= Buffer.from(statusText(this.#snapshot));
    return this.#text;
  }
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
