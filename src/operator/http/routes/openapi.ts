import type { FastifyInstance } from 'fastify';
import { openApiDocument } from '../openapi/document.ts';
import type { Sources } from '../sources.ts';

/** `GET /openapi.json`: the description of this endpoint. */
export function openApiRoute(app: FastifyInstance, sources: Sources): void {
  app.get('/openapi.json', (_request, reply) => reply.send(openApiDocument(sources.snapshot().version)));
}
