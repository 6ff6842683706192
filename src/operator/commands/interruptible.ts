import type { CommandIo } from './command.ts';

/** What a command that may take its time touches of the process. */
export interface InterruptibleIo extends CommandIo {
  readonly signal: AbortSignal;
  readonly env: NodeJS.ProcessEnv;
}

/** Aborts with Ctrl-C, and when whoever read the output is gone (`status --watch | head -1`). */
export function interruptible(io: CommandIo): InterruptibleIo {
  const interrupted = new AbortController();
  process.once('SIGINT', () => interrupted.abort(new Error('interrupted')));
  process.stdout.once('error', (error) => interrupted.abort(error));
  return { ...io, signal: interrupted.signal, env: process.env };
}
