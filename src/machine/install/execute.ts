import { cp, lstat, mkdir, readlink, rename, rm, rmdir, symlink, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { sleep } from '../../base/async/sleep.ts';
import { messageOf } from '../../base/errors.ts';
import { stateError } from '../../base/files/state-error.ts';
import { writeAtomically } from '../../base/files/write-atomically.ts';
import { runBounded } from '../../base/process/run-bounded.ts';
import type { Step } from './step.ts';
import { portsInUse } from './taken-ports.ts';

/** A step that failed. The message is for people and may have several lines. */
export class StepFailed extends Error {
  override readonly name = 'StepFailed';
}

export interface Executor {
  /** Rejects with {@link StepFailed}. */
  execute(step: Step): Promise<void>;
}

const COMMAND_MS = 180_000;
const OUTPUT_LIMIT = 256 * 1024;
const PORTS_MS = 15_000;
const LOOK_MS = 100;

/** Executes steps on this machine. Each step can be repeated safely. */
export class NodeExecutor implements Executor {
  readonly #env: NodeJS.ProcessEnv;

  constructor(env: NodeJS.ProcessEnv) {
    this.#env = env;
  }

  async execute(step: Step): Promise<void> {
    try {
      await this.#do(step);
    } catch (error) {
      if (error instanceof StepFailed) throw error;
      throw new StepFailed(messageOf(error));
    }
  }

  async #do(step: Step): Promise<void> {
    switch (step.kind) {
      case 'copy-tree':
        return copyTree(step.from, step.to);
      case 'remove-tree':
        await rm(step.path, { recursive: true, force: true });
        return;
      case 'write':
        await makeDirectoryFor(step.path);
        return writeAtomically(step.path, step.text, step.mode);
      case 'remove':
        return removeFile(step.path);
      case 'remove-empty':
        await rmdir(step.path).catch(() => {});
        return;
      case 'link':
        return replaceLink(step.path, step.to);
      case 'command':
        return this.#run(step.argv, step.timeoutMs ?? COMMAND_MS, step.label);
      case 'await-ports':
        return awaitPorts(step.ports);
    }
  }

  async #run(argv: readonly string[], timeoutMs: number, label = argv.join(' ')): Promise<void> {
    const bounds = { timeoutMs, stdoutLimit: OUTPUT_LIMIT, stderrLimit: OUTPUT_LIMIT };
    const outcome = await runBounded({ argv, env: this.#env, ...bounds }, new AbortController().signal);
    if (outcome.kind === 'exited' && outcome.code === 0) return;
    const output = 'stdout' in outcome ? `${outcome.stdout}${outcome.stderr}` : '';
    const how =
      outcome.kind === 'exited'
        ? `exit ${outcome.code}`
        : outcome.kind === 'not_started'
          ? outcome.error.message
          : outcome.kind;
    throw new StepFailed(`${label}: ${how}${output === '' ? '' : `\n${output.trimEnd()}`}`);
  }
}

async function makeDirectoryFor(path: string): Promise<void> {
  const directory = dirname(path);
  try {
    await mkdir(directory, { recursive: true, mode: 0o755 });
  } catch (error) {
    // Node reports ENOENT for a recursive mkdir on a read-only file system. The last part alone has the true cause.
    const cause = await mkdir(directory).then(
      () => error,
      (other: unknown) => other,
    );
    throw stateError('written', path, cause);
  }
}

/** Copies to a temporary name first: the final name never shows half a release. */
async function copyTree(from: string, to: string): Promise<void> {
  const temporary = `${to}.new`;
  await rm(temporary, { recursive: true, force: true });
  await mkdir(dirname(to), { recursive: true, mode: 0o755 });
  await cp(from, temporary, { recursive: true, verbatimSymlinks: true });
  await rm(to, { recursive: true, force: true });
  await rename(temporary, to);
}

async function removeFile(path: string): Promise<void> {
  const stats = await lstat(path).catch(() => undefined);
  if (stats && !stats.isDirectory()) await unlink(path);
  const directory = dirname(path);
  // rmdir(2) removes only empty directories; the name restricts this to directories of fleet-mesh.
  if (directory.includes('/fleet-mesh')) await rmdir(directory).catch(() => {});
}

async function replaceLink(path: string, to: string): Promise<void> {
  if ((await readlink(path).catch(() => undefined)) === to) return;
  await mkdir(dirname(path), { recursive: true, mode: 0o755 });
  const temporary = join(dirname(path), `.link-${process.pid}.new`);
  await rm(temporary, { force: true });
  await symlink(to, temporary);
  await rename(temporary, path);
}

async function awaitPorts(ports: readonly number[]): Promise<void> {
  const until = performance.now() + PORTS_MS;
  for (;;) {
    const taken = await portsInUse();
    const missing = ports.filter((port) => !taken.has(port));
    if (missing.length === 0) return;
    if (performance.now() > until) throw new StepFailed(`nothing listens on port ${missing.join(', ')}`);
    await sleep(LOOK_MS);
  }
}
