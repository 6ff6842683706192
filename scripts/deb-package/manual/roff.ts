/**
 * Escapes text so that roff shows it literally: requests, typography (a typographic hyphen cannot be pasted into a shell) and
 * characters outside ASCII (groff_char(7)).
 */
export function literal(text: string): string {
  return text
    .replace(/[\\\-'`~^]|[^\n -~]/g, (character) => ESCAPES[character] ?? `\\[u${codePointOf(character)}]`)
    .replace(/^\./gm, '\\&.');
}

export const bold = (text: string) => `\\fB${literal(text)}\\fR`;
export const italic = (text: string) => `\\fI${literal(text)}\\fR`;

/** Text in which `code` is bold. */
export function prose(text: string): string {
  return text
    .split('`')
    .map((part, index) => (index % 2 === 0 ? literal(part) : bold(part)))
    .join('');
}

/** An entry of a list: the term and its paragraphs. */
export function entry(tag: string, ...paragraphs: readonly string[]): string {
  return ['.TP', tag, paragraphs.join('\n.IP\n')].join('\n');
}

export function section(title: string, ...parts: readonly string[]): string {
  return [`.SH ${literal(title).toUpperCase()}`, ...parts].join('\n');
}

export function subsection(title: string, ...parts: readonly string[]): string {
  return [`.SS "${literal(title)}"`, ...parts].join('\n');
}

/** Lines without filling. */
export function verbatim(text: string): string {
  return ['.PP', '.RS 4', '.nf', literal(text.trimEnd()), '.fi', '.RE'].join('\n');
}

export interface Title {
  readonly name: string;
  readonly section: number;
  /** ISO 8601, without a time. */
  readonly date: string;
  readonly version: string;
  readonly manual: string;
}

export function page({ name, section, date, version, manual }: Title, parts: readonly string[]): string {
  const title = `.TH ${literal(name.toUpperCase())} ${section} ${literal(date)} "fleet\\-mesh ${literal(version)}" "${manual}"`;
  // No justified lines and no hyphenation: people copy names from the page.
  return `${[title, '.nh', '.ad l', ...parts].join('\n')}\n`;
}

const ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\e',
  '-': '\\-',
  "'": '\\(aq',
  '`': '\\(ga',
  '~': '\\(ti',
  '^': '\\(ha',
};

function codePointOf(character: string): string {
  return (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
}
