/** Escapes Markdown in a text; `code` stays code. */
export function prose(text: string): string {
  return text
    .split('`')
    .map((part, index) => (index % 2 === 0 ? part.replace(/[*<[\]~|\\]/g, '\\$&') : code(part)))
    .join('');
}

/** Inline code. Escapes bars, which would end a table cell. */
export function code(text: string): string {
  return `\`${text.replaceAll('|', '\\|')}\``;
}

/** Prose that begins with a capital letter and ends with a full stop. */
export function sentence(text: string): string {
  const whole = /[.!?]$/.test(text) ? text : `${text}.`;
  return prose(whole.charAt(0).toUpperCase() + whole.slice(1));
}

/** The cells must be Markdown. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

export function fence(text: string, language = 'text'): string {
  return `\`\`\`${language}\n${text}\n\`\`\``;
}

/**
 * A complete page.
 *
 * @param source the files to change in order to change the page
 */
export function page(title: string, source: string, parts: readonly string[]): string {
  const notice = `<!-- Generated from ${source}. Change the source, then run scripts/docs. -->`;
  return `${[notice, `# ${title}`, ...parts].join('\n\n')}\n`;
}
