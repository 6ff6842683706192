import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { within } from '../wait-until.ts';
import { findProgram } from './find-program.ts';
import { descendantsOf, isAlive, killTrees, signal } from './proc.ts';

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface OwnedProcess extends AsyncDisposable {
  readonly pid: number;
  readonly child: ChildProcess;
  /** Settles when the process has ended and its output is read. */
  readonly exit: Promise<Exit>;
  /** The output so far; empty for a stream that was not captured. */
  stdout(): string;
  stderr(): string;
  /** Ends the process and its descendants. */
  stop(name?: NodeJS.Signals): Promise<Exit>;
}

const running = new Set<number>();
let hooked = false;

/**
 * A child process that never outlives its test. It ends on disposal, when this process exits, and even when this
 * process is killed (PR_SET_PDEATHSIG, if util-linux supports it). Only pids started here get signals. The child has
 * its own process group, so Ctrl-C reaches only its owner.
 */
export function spawnOwned(program: string, args: readonly string[], options: SpawnOptions = {}): OwnedProcess {
  if (!hooked) {
    hooked = true;
    process.on('exit', () => {
      for (const pid of running) for (const each of [pid, ...descendantsOf(pid)].reverse()) signal(each, 'SIGKILL');
    });
  }
  const setpriv = findProgram('setpriv');
  const [file, argv] =
    setpriv === undefined ? [program, args] : [setpriv, ['--pdeathsig', 'KILL', '--', program, ...args]];
  const child = spawn(file, [...argv], { stdio: ['ignore', 'pipe', 'pipe'], detached: true, ...options });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout?.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => err.push(chunk));
  const pid = child.pid;
  const exit = new Promise<Exit>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, name) => resolve({ code, signal: name }));
  });
  exit.catch(() => {});
  if (pid === undefined) throw new Error(`${program} could not be started`);
  running.add(pid);
  const dead = new Promise<void>((resolve) => {
    child.once('exit', () => {
      running.delete(pid);
      resolve();
    });
  });

  const stop = async (name: NodeJS.Signals = 'SIGTERM') => {
    if (!running.has(pid)) return exit;
    // Listed before the parent ends, because then its children belong to init.
    const below = descendantsOf(pid);
    signal(pid, name);
    try {
      await within(`${program} (pid ${pid}) ends on ${name}`, dead);
    } catch (error) {
      if (running.has(pid)) signal(pid, 'SIGKILL');
      if (name === 'SIGKILL') throw error;
      await within(`${program} (pid ${pid}) ends on SIGKILL`, dead);
    }
    // Descendants may keep the output open, and `exit` waits for its end.
    killTrees(below.filter(isAlive));
    return await within(`the output of ${program} (pid ${pid}) ends`, exit);
  };
  return {
    pid,
    child,
    exit,
    stdout: () => Buffer.concat(out).toString(),
    stderr: () => Buffer.concat(err).toString(),
    stop,
    [Symbol.asyncDispose]: async () => {
      await stop();
    },
  };
}
