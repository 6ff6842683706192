import { readdirSync } from 'node:fs';

/** Every Markdown page at the top of the checkout and below docs/. */
export function writtenPages(checkout: string): string[] {
  const top = readdirSync(checkout).filter((name) => name.endsWith('.md'));
  const docs = readdirSync(`${checkout}/docs`, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.md'),
  );
  return [...top, ...docs.map((name) => `docs/${name}`)].sort();
}
