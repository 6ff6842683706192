/** A progress line, printed before the step. */
export function say(text: string): void {
  process.stdout.write(`\n== ${text}\n`);
}

export function print(text: string): void {
  process.stdout.write(`${text.trimEnd()}\n`);
}
