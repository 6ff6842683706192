import { openApiDocument } from '../../src/operator/http/openapi/document.ts';
import { fieldsOf, type SchemaNode } from '../reference/schema-fields.ts';
import { code, page, prose, table } from './markdown.ts';

const SOURCE = 'src/operator/http/openapi/ and the schemas of the answers';

/** Every path of the endpoint with its parameters and answers, and every field of the answers. */
export function httpApiPage(): string {
  const { paths, components, info } = openApiDocument('');
  return page('HTTP API', SOURCE, [
    prose(`${info.description} The daemon serves this description as OpenAPI 3.1 at \`/openapi.json\`.`),
    '[HTTP and metrics](http-and-metrics.md) explains which path to use for what.',
    '## Paths',
    ...Object.entries(paths).flatMap(([path, { get }]) => pathPart(path, get)),
    '## Answers',
    'Every field is present. `null` means unknown or not applicable, never zero.',
    ...Object.entries(components.schemas).flatMap(([name, schema]) => answerPart(name, schema as SchemaNode)),
  ]);
}

interface Operation {
  readonly summary: string;
  readonly parameters: readonly { readonly name: string; readonly in: string; readonly description: string }[];
  readonly responses: Readonly<Record<string, { readonly description: string; readonly content: object }>>;
}

function pathPart(path: string, { summary, parameters, responses }: Operation): string[] {
  return [
    `### ${code(`GET ${path}`)}`,
    prose(summary),
    ...(parameters.length === 0
      ? []
      : [
          table(
            ['Parameter', 'In', 'Meaning'],
            parameters.map(({ name, in: place, description }) => [code(name), place, prose(description)]),
          ),
        ]),
    table(
      ['Status', 'Type', 'Meaning'],
      Object.entries(responses).map(([status, { description, content }]) => [
        status,
        Object.entries(content)
          .map(([type, { schema }]) => answerType(type, schema))
          .join(', '),
        prose(description),
      ]),
    ),
  ];
}

function answerType(type: string, { $ref: reference }: { readonly $ref?: string }): string {
  const name = reference?.split('/').at(-1);
  return name === undefined ? code(type) : `${code(type)}: [${name}](#${name.toLowerCase()})`;
}

function answerPart(name: string, schema: SchemaNode): string[] {
  const rows = fieldsOf(schema).map(({ path, type }) => [code(path.join('.').replaceAll('.[]', '[]')), prose(type)]);
  return [`### ${name}`, table(['Field', 'Type'], rows)];
}
