import { createInterface } from 'node:readline/promises';

/** Asks a question on the terminal. Undefined without a terminal on both sides, or after Ctrl-C or Ctrl-D. */
export async function ask(question: string, signal: AbortSignal): Promise<string | undefined> {
  const { stdin: input, stderr: output } = process;
  if (!canAsk()) return undefined;
  const lines = createInterface({ input, output });
  // Ctrl-D ends the input without an answer.
  const ended = new AbortController();
  lines.once('close', () => ended.abort());
  try {
    return await lines.question(question, { signal: AbortSignal.any([signal, ended.signal]) });
  } catch {
    return undefined;
  } finally {
    lines.close();
  }
}

/** Whether a person can answer. */
export function canAsk(): boolean {
  return process.stdin.isTTY === true && process.stderr.isTTY === true;
}
