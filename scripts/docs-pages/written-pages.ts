import { readdirSync } from 'node:fs';

/** Every Markdown page that people read: those at the top of the checkout, and all below docs/. */
export function writtenPages(checkout: string): string[] {
  const top = readdirSync(checkout).filter((name) => name.endsWith('.md'));
  const docs = readdirSync(`${checkout}/docs`, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.md'),
  );
  return [...top, ...docs.map((name) => `docs/${name}`)].sort();
}
