import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { brokenLinks } from './links.ts';
import { generatedPages } from './pages.ts';
import { writtenPages } from './written-pages.ts';

const USAGE = `usage: scripts/docs [--check]

Writes the generated pages of docs/: commands.md, configuration.md, errors.md, faults.md,
http-api.md and servers.md.

  --check  change nothing; exit 1 if a page is not up to date or a link is broken
`;

const CHECKOUT = fileURLToPath(new URL('../..', import.meta.url));

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { check: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } } });
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const stale = [...generatedPages(CHECKOUT)].filter(([path, text]) => contentOf(path) !== text);
  if (!values.check) {
    for (const [path, text] of stale) writeFileSync(join(CHECKOUT, path), text);
    process.stdout.write(stale.map(([path]) => `wrote ${path}\n`).join(''));
    return 0;
  }
  for (const [path] of stale)
    process.stderr.write(`${path} is not up to date. Run scripts/docs and commit the result.\n`);
  const broken = await brokenLinks(CHECKOUT, writtenPages(CHECKOUT));
  process.stderr.write(broken);
  return stale.length > 0 || broken !== '' ? 1 : 0;
}

function contentOf(path: string): string | undefined {
  try {
    return readFileSync(join(CHECKOUT, path), 'utf8');
  } catch {
    return undefined;
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`scripts/docs: ${error instanceof Error ? error.message : error}\n\n${USAGE}`);
  process.exitCode = 64;
}
