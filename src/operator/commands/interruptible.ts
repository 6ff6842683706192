import type { CommandIo } from './command.ts';

/** The parts of the process that a long-running command uses. */
export interface InterruptibleIo extends CommandIo {
  readonly signal: AbortSignal;
  readonly env: NodeJS.ProcessEnv;
}

/** Adds a signal that aborts on Ctrl-C, and when the reader of the output has ended (`status --watch | head -1`). */
export function interruptible(io: CommandIo): InterruptibleIo {
  const interrupted = new AbortController();
  process.once('SIGINT', () => interrupted.abort(new Error('interrupted')));
  process.stdout.once('error', (error) => interrupted.abort(error));
  return { ...io, signal: interrupted.signal, env: process.env };
}
