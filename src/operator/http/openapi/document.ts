import { componentSchemas } from './components.ts';
import { PATHS } from './paths.ts';

/** The description of the endpoint (OpenAPI 3.1). `version` is that of the program. Pure. */
export function openApiDocument(version: string) {
  return {
    openapi: '3.1.1',
    info: {
      title: 'fleet-mesh',
      version,
      summary: 'The read-only endpoint of a fleet-mesh daemon.',
      description: [
        'No request changes anything. The Host header must be a loopback name or a configured name.',
        'Later versions only add fields: ignore fields that you do not know.',
      ].join(' '),
      license: { name: 'MIT', identifier: 'MIT' },
    },
    // Relative: the daemon that answers is the server.
    servers: [{ url: '/' }],
    security: [],
    paths: PATHS,
    components: { schemas: componentSchemas() },
  };
}
