import { visible } from '../../base/text/printable.ts';

/**
 * The JSON of an answer, for eyes and for programs: indented, and with a newline at the end. Invisible characters in
 * names and messages of others are escaped: a client may print the answer on a terminal.
 */
export function jsonText(answer: unknown): string {
  return `${visible(JSON.stringify(answer, null, 2))}\n`;
}
