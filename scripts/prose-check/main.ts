import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { markdownProse } from './markdown-prose.ts';
import { messageProse } from './message-prose.ts';
import type { Match } from './word-list.ts';

const USAGE = `usage: scripts/prose [--count] [FILE...]

Checks the plain English of Markdown pages and of the texts in TypeScript sources: sentences of at most 25 words that begin
with their subject, and none of the words of scripts/prose-check/word-list.ts. Without FILE: README, CONTRIBUTING, SECURITY,
docs/, src/ and scripts/reference/. Pages that are generated are checked at their source.

  --count  only the number of findings of each file, most first
`;

const CHECKOUT = fileURLToPath(new URL('../..', import.meta.url));
const PAGES = /^(?:README|CONTRIBUTING|SECURITY|docs\/.*)\.md$/;
const SOURCES = /^(?:src|scripts\/reference)\/.*\.ts$/;

function main(): number {
  const { values, positionals } = parseArgs({
    options: { count: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
    allowPositionals: true,
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const files = positionals.length > 0 ? positionals : everyFile();
  const found = files.map((path) => ({ path, lines: findingsOf(path) }));
  const total = found.reduce((sum, { lines }) => sum + lines.length, 0);
  const bad = found.filter(({ lines }) => lines.length > 0);
  const counted = bad
    .toSorted((one, other) => other.lines.length - one.lines.length)
    .map(({ path, lines }) => `${String(lines.length).padStart(4)}  ${path}`);
  for (const line of values.count ? counted : bad.flatMap(({ lines }) => lines)) process.stdout.write(`${line}\n`);
  if (total > 0) process.stderr.write(`${total} findings in ${bad.length} of ${files.length} files\n`);
  return total > 0 ? 1 : 0;
}

function everyFile(): string[] {
  const below = (folder: string) =>
    readdirSync(join(CHECKOUT, folder), { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name));
  return [...readdirSync(CHECKOUT), ...['docs', 'src', 'scripts/reference'].flatMap(below)]
    .filter((path) => PAGES.test(path) || SOURCES.test(path))
    .filter((path) => !readFileSync(join(CHECKOUT, path), 'utf8').startsWith('<!-- Generated'))
    .sort();
}

function findingsOf(path: string): string[] {
  const text = readFileSync(path, 'utf8');
  const matches = path.endsWith('.md') ? markdownProse(text) : messageProse(path, text);
  return matches.map((match) => `${path}:${positionOf(match, text)}: ${match.message}`);
}

function positionOf({ offset }: Match, text: string): string {
  const before = text.slice(0, offset).split('\n');
  return `${before.length}:${(before.at(-1)?.length ?? 0) + 1}`;
}

try {
  process.exitCode = main();
} catch (error) {
  process.stderr.write(`scripts/prose: ${error instanceof Error ? error.message : error}\n\n${USAGE}`);
  process.exitCode = 64;
}
