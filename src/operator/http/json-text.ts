/** The JSON of an answer, for eyes and for programs: indented, and with a newline at the end. */
export function jsonText(answer: unknown): string {
  return `${JSON.stringify(answer, null, 2)}\n`;
}
