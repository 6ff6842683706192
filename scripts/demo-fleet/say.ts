/** A progress line: what is done next, before it takes its time. */
export function say(text: string): void {
  process.stdout.write(`\n== ${text}\n`);
}

export function print(text: string): void {
  process.stdout.write(`${text.trimEnd()}\n`);
}
