import { printable } from './printable.ts';

/** A table of GitHub's Markdown; the cells are escaped already. Pure. */
export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** Escapes Markdown: some texts come from other machines. Pure. */
export function markdownText(value: string): string {
  return printable(value, 10_000).replace(/[\\`*|<>[\]]/g, '\\$&');
}
