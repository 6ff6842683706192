import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { configJsonSchema } from '../../src/config/schema.ts';
import { outlineOf } from '../../src/operator/commands/completion/outline.ts';
import { program } from '../../src/program.ts';
import type { SchemaNode } from '../reference/schema-fields.ts';
import { commandsPage } from './commands-page.ts';
import { configurationPage } from './configuration-page.ts';
import { errorsPage } from './errors-page.ts';
import { faultsPage } from './faults-page.ts';
import { httpApiPage } from './http-api-page.ts';
import { serversPage } from './servers-page.ts';

/** The generated pages, by path in the checkout. */
export function generatedPages(checkout: string): ReadonlyMap<string, string> {
  const example: unknown = parse(readFileSync(join(checkout, 'config/example-tunnels.yaml'), 'utf8'));
  return new Map([
    ['docs/commands.md', commandsPage(outlineOf(program))],
    ['docs/configuration.md', configurationPage(configJsonSchema() as SchemaNode, example)],
    ['docs/errors.md', errorsPage()],
    ['docs/faults.md', faultsPage()],
    ['docs/http-api.md', httpApiPage()],
    ['docs/servers.md', serversPage(JSON.parse(readFileSync(join(checkout, 'docs/hostile-servers.json'), 'utf8')))],
  ]);
}
