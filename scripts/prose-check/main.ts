import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { markdownProse } from './markdown-prose.ts';
import { messageProse } from './message-prose.ts';
import type { Match } from './word-list.ts';

const USAGE = `usage: scripts/prose [--count] [PATH...]

Checks the plain English of Markdown pages and of the texts in TypeScript sources: sentences of at most 25 words that begin
with their subject, and none of the words of scripts/prose-check/word-list.ts. A PATH is a file or a folder. Without PATH:
README, CONTRIBUTING, SECURITY, docs/, src/ and scripts/reference/. Pages that are generated are checked at their source.

  --count  show only the number of findings in each file, most first
`;

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
  const files = positionals.length > 0 ? positionals.flatMap(filesAt).sort() : everyFile();
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
  return [...readdirSync('.'), ...['docs', 'src', 'scripts/reference'].flatMap(filesAt)]
    .filter((path) => PAGES.test(path) || SOURCES.test(path))
    .filter((path) => !readFileSync(path, 'utf8').startsWith('<!-- Generated'))
    .sort();
}

/** The file itself, or the pages and sources of a folder. */
function filesAt(path: string): string[] {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(?:md|ts)$/.test(name))
    .map((name) => join(path, name));
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
