import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { abortable, withDeadline } from '../async/deadline.ts';
import { asError } from '../errors.ts';
import { BoundedOutput } from './bounded-output.ts';
import { endProcessGroup } from './process-group.ts';

export interface BoundedCommand {
  /** The program, found on the PATH of `env` if it has no slash, and its arguments. No shell. */
  readonly argv: readonly string[];
  /** Its whole environment. */
  readonly env: NodeJS.ProcessEnv;
  /** Undefined: where this process is. */
  readonly workingDirectory?: string | undefined;
  /** How long it may run. Ending it comes on top: two seconds at most. */
  readonly timeoutMs: number;
  /** Bytes on standard output beyond which it is ended. */
  readonly stdoutLimit: number;
  /** Bytes on standard error beyond which it is ended. */
  readonly stderrLimit: number;
}

/** How a command ended. Of standard error the end is kept, 8 KiB. */
export type Outcome =
  /** Not started: the error of spawn, with execve(2)'s code. */
  | { readonly kind: 'not_started'; readonly error: Error }
  | { readonly kind: 'exited'; readonly code: number; readonly stdout: Buffer; readonly stderr: Buffer }
  | { readonly kind: 'signalled'; readonly signal: NodeJS.Signals; readonly stderr: Buffer }
  | { readonly kind: 'timeout'; readonly stderr: Buffer }
  | { readonly kind: 'too_much_output'; readonly stream: 'stdout' | 'stderr'; readonly stderr: Buffer };

type Ending =
  | { readonly kind: 'exited'; readonly code: number }
  | { readonly kind: 'signalled'; readonly signal: NodeJS.Signals }
  | { readonly kind: 'too_much_output'; readonly stream: 'stdout' | 'stderr' };

const STDERR_KEPT = 8 * 1024;
/** After the command itself has ended: how long what is still on its way is waited for. */
const DRAIN_MS = 250;

class TimedOut extends Error {}

/**
 * Runs a command to its end, whatever it does: its standard input is empty, its time and output are bounded, and when
 * this settles nothing is left of its process group, also where it ended by itself and left children behind. Rejects only
 * with the reason of `signal`.
 */
export async function runBounded(command: BoundedCommand, signal: AbortSignal): Promise<Outcome> {
  signal.throwIfAborted();
  const child = await start(command);
  if (child instanceof Error) return { kind: 'not_started', error: child };
  const { pid, stdout, stderr, ended } = child;
  const out = new BoundedOutput(stdout, command.stdoutLimit, { first: command.stdoutLimit });
  const err = new BoundedOutput(stderr, command.stderrLimit, { last: STDERR_KEPT });
  const tooMuch = (stream: 'stdout' | 'stderr') => ({ kind: 'too_much_output', stream }) as const;
  const ending = Promise.race<Ending>([
    ended,
    out.overflow.then(() => tooMuch('stdout')),
    err.overflow.then(() => tooMuch('stderr')),
  ]);
  try {
    const first = await withDeadline(
      command.timeoutMs,
      signal,
      () => new TimedOut(),
      (within) => abortable(ending, within),
    );
    if (first.kind !== 'exited') return { ...first, stderr: err.bytes };
    // Children of it may hold the pipes for ever: what was written is read, then they are let go.
    const drained = Promise.all([out.end, err.end]);
    await withDeadline(
      DRAIN_MS,
      undefined,
      () => new TimedOut(),
      (within) => abortable(drained, within),
    ).catch(() => {});
    if (out.overflowed) return { ...tooMuch('stdout'), stderr: err.bytes };
    return { ...first, stdout: out.bytes, stderr: err.bytes };
  } catch (error) {
    if (error instanceof TimedOut) return { kind: 'timeout', stderr: err.bytes };
    throw error;
  } finally {
    await endProcessGroup(pid);
    out.giveUp();
    err.giveUp();
  }
}

/** With what is needed of it, from the first turn on: a child that has ended at once must not have done so unseen. */
async function start(command: BoundedCommand) {
  const [program = '', ...args] = command.argv;
  let child: ChildProcess;
  try {
    // Detached: a session and a process group of its own. The group can be ended as a whole, and there is no terminal to
    // ask a passphrase on.
    child = spawn(program, args, {
      ...(command.workingDirectory === undefined ? {} : { cwd: command.workingDirectory }),
      env: command.env,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  } catch (error) {
    // What Node refuses by itself, e.g. a NUL in an argument, and rarer errors of execve(2).
    return asError(error);
  }
  const { pid, stdout, stderr } = child;
  if (pid === undefined || stdout === null || stderr === null) {
    const [error] = await once(child, 'error');
    return asError(error);
  }
  child.on('error', () => {});
  const ended = new Promise<Ending>((resolve) => {
    child.once('exit', (code, signal) =>
      resolve(signal === null ? { kind: 'exited', code: code ?? 0 } : { kind: 'signalled', signal }),
    );
  });
  return { pid, stdout, stderr, ended };
}
