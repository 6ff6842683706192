import type { FastifyInstance } from 'fastify';
import { jsonText } from '../json-text.ts';
import { openApiDocument } from '../openapi/document.ts';
import type { Sources } from '../sources.ts';

/** `GET /openapi.json`: the description of this endpoint. */
export function openApiRoute(app: FastifyInstance, sources: Sources): void {
  let document: Buffer | undefined;
  app.get('/openapi.json', (_request, reply) => {
    document ??= Buffer.from(jsonText(openApiDocument(sources.snapshot().version)));
    return reply.type('application/json; charset=utf-8').send(document);
  });
}
