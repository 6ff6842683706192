import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { abortable, withDeadline } from '../async/deadline.ts';
import { asError } from '../errors.ts';
import { BoundedOutput } from './bounded-output.ts';
import { endMarked, marked } from './marked-processes.ts';
import { endProcessGroup } from './process-group.ts';

export interface BoundedCommand {
  /** The program, found on the PATH of `env` if it has no slash, and its arguments. No shell. */
  readonly argv: readonly string[];
  /** The whole environment. */
  readonly env: NodeJS.ProcessEnv;
  /** Undefined: the directory of this process. */
  readonly workingDirectory?: string | undefined;
  /** Bound of the run. The end of the process group can take four more seconds. */
  readonly timeoutMs: number;
  /** Descriptors of this process that the command gets as 3, 4, and so on. No other descriptor is inherited. */
  readonly descriptors?: readonly number[] | undefined;
  /** The command is ended when it writes more bytes than this on standard output. */
  readonly stdoutLimit: number;
  /** The command is ended when it writes more bytes than this on standard error. */
  readonly stderrLimit: number;
}

/** How a command ended, with the last 8 KiB of standard error. */
export type Outcome =
  /** The error of spawn, with the code of execve(2). */
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
/** Bound of the wait for remaining output after the command has ended, in milliseconds. */
const DRAIN_MS = 250;

class TimedOut extends Error {}

/**
 * Runs a command to its end. Standard input is empty; time and output are bounded. When this settles, the whole process
 * group has ended, including children that the command left behind. A command that must be ended takes also those children
 * with it that left the group. Rejects only with the reason of `signal`.
 */
export async function runBounded(command: BoundedCommand, signal: AbortSignal): Promise<Outcome> {
  signal.throwIfAborted();
  const id = randomUUID();
  const child = await start({ ...command, env: marked(command.env, id) });
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
  let byItself = false;
  try {
    const first = await withDeadline(
      command.timeoutMs,
      signal,
      () => new TimedOut(),
      (within) => abortable(ending, within),
    );
    if (first.kind !== 'exited') return { ...first, stderr: err.bytes };
    byItself = true;
    // Children of the command may keep the pipes open forever: read the output so far, then stop.
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
    // A command that ended by itself may have started a daemon on purpose.
    if (!byItself) await endMarked(id);
    out.giveUp();
    err.giveUp();
  }
}

/** Attaches the exit listener at once, so that an immediate exit is not missed. */
async function start(command: BoundedCommand) {
  const [program = '', ...args] = command.argv;
  let child: ChildProcess;
  try {
    // Detached: the child gets its own session and process group. The group can be ended as a whole, and no terminal
    // can prompt for a passphrase.
    child = spawn(program, args, {
      ...(command.workingDirectory === undefined ? {} : { cwd: command.workingDirectory }),
      env: command.env,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe', ...(command.descriptors ?? [])],
    });
  } catch (error) {
    // Errors of Node itself, such as a NUL in an argument, and rare errors of execve(2).
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
