import { execFile, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { requireProgram } from '../../support/machine/find-program.ts';
import { type OwnedProcess, spawnOwned } from '../../support/machine/owned-process.ts';
import { childrenOf, descendantsOf, nameOf } from '../../support/machine/proc.ts';
import { type TempDir, tempDir } from '../../support/machine/temp-dir.ts';
import { patient } from '../../support/patience.ts';
import { waitUntil } from '../../support/wait-until.ts';

const BOOT = fileURLToPath(new URL('boot.sh', import.meta.url));
const CHECKOUT = fileURLToPath(new URL('../../..', import.meta.url));
/** Where the box has it, read-only. */
export const CHECKOUT_INSIDE = '/srv/checkout/';

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A running systemd with this checkout's program and units (see boot.sh). Ends with the test, whatever becomes of that. */
export class Box implements AsyncDisposable {
  readonly #process: OwnedProcess;
  readonly #temp: TempDir;
  readonly #cgroup: string;
  #pid = 0;

  private constructor(process: OwnedProcess, temp: TempDir, cgroup: string) {
    this.#process = process;
    this.#temp = temp;
    this.#cgroup = cgroup;
  }

  /** `withProgram`: as if it were installed. The network is that of the machine, or an `own` loopback. */
  static async boot(withProgram = true, network: 'shared' | 'own' = 'shared'): Promise<Box> {
    const temp = tempDir('box');
    const cgroup = cgroupFor(temp);
    mkdirSync(cgroup);
    const args = [BOOT, 'enter', temp.path, cgroup, CHECKOUT, process.execPath, withProgram ? 'yes' : 'no', network];
    const box = new Box(spawnOwned(requireProgram('bash'), args), temp, cgroup);
    try {
      await box.#booted();
      return box;
    } catch (error) {
      await box[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** A path of the box, for this process. Not through symbolic links: absolute ones would lead out. */
  path(inside: string): string {
    return `/proc/${this.#pid}/root${inside}`;
  }

  /** Writes a file, with its directories. */
  write(path: string, text: string, mode = 0o644): void {
    mkdirSync(dirname(this.path(path)), { recursive: true });
    writeFileSync(this.path(path), text, { mode });
  }

  /** The pid out here of a process of the box, by its pid in there (proc(5), `NSpid`). */
  outerPid(inner: string): number {
    const found = descendantsOf(this.#pid).find((pid) =>
      new RegExp(`^NSpid:.*\\t${inner}$`, 'm').test(readFileSync(`/proc/${pid}/status`, 'utf8')),
    );
    if (found === undefined) throw new Error(`there is no process ${inner} in the box`);
    return found;
  }

  /** Runs a program as root in the box. */
  run(...command: readonly string[]): Promise<Outcome> {
    const inside = ['sh', '-c', 'echo 0 >/sys/fs/cgroup/visitors/cgroup.procs && exec "$@"', 'sh', ...command];
    const nsenter = ['-t', String(this.#pid), '-m', '-p', '-u', '-i', '-C', '-n', '--', ...inside];
    return new Promise((resolve) => {
      execFile(requireProgram('nsenter'), nsenter, { timeout: patient(60_000), env: ENV }, (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
        resolve({ code, stdout, stderr });
      });
    });
  }

  /** The same, for what must succeed. Settles with its standard output. */
  async must(...command: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(...command);
    if (code === 0) return stdout;
    throw new Error(`${command.join(' ')} ended with ${code}\n${stdout}${stderr}\n${await this.journal(60)}`);
  }

  /** Its newest lines, without the noise of the boot. */
  async journal(lines: number): Promise<string> {
    return (await this.run('journalctl', '--no-pager', '-o', 'short-monotonic', '-n', String(lines))).stdout;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.stop('SIGKILL').catch(() => {});
    await waitUntil('the cgroup of the box is empty', () => isUnpopulated(this.#cgroup), 10_000);
    // A process that has just ended may keep its cgroup for a moment.
    await waitUntil('the cgroup of the box is gone', () => {
      removeTree(this.#cgroup);
      return !existsSync(this.#cgroup);
    });
    this.#temp[Symbol.dispose]();
  }

  async #booted(): Promise<void> {
    const { child, pid, stderr } = this.#process;
    const console = () => stderr();
    await waitUntil(
      'systemd runs in the box',
      () => {
        if (child.exitCode !== null) throw new Error(`the box ended at once:\n${console()}`);
        // unshare's child is PID 1 of the box.
        this.#pid = childrenOf(pid).find((each) => nameOf(each) === 'systemd') ?? 0;
        return this.#pid !== 0;
      },
      10_000,
      console,
    );
    await waitUntil(
      'the box has booted',
      async () => (await this.run('systemctl', 'is-active', 'systemd-logind.service')).code === 0,
      20_000,
      console,
    );
  }
}

const ENV = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' };

/** Why this kernel, or the container that this runs in, does not let us boot a systemd; undefined when it does. */
export function whyNoBox(): string | undefined {
  using temp = tempDir('box-probe');
  let cgroup: string | undefined;
  try {
    cgroup = cgroupFor(temp);
    mkdirSync(cgroup);
    const { status, stderr } = spawnSync(requireProgram('bash'), [BOOT, 'probe', temp.path, cgroup], {
      encoding: 'utf8',
      // A trial that a busy machine delays must not hide a whole ring.
      timeout: 60_000,
    });
    return status === 0 ? undefined : stderr.trim() || 'the trial did not end';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    if (cgroup !== undefined) removeTree(cgroup);
  }
}

function cgroupFor(temp: TempDir): string {
  const mount = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .find((line) => line.split(' ')[2] === 'cgroup2');
  if (mount === undefined) throw new Error('there is no cgroup2 file system');
  return join(mount.split(' ')[1] ?? '', basename(temp.path));
}

function isUnpopulated(cgroup: string): boolean {
  return readFileSync(join(cgroup, 'cgroup.events'), 'utf8').includes('populated 0');
}

/** Directories alone can be removed from a cgroup tree, from its leaves up. */
function removeTree(cgroup: string): void {
  try {
    for (const entry of readdirSync(cgroup, { withFileTypes: true })) {
      if (entry.isDirectory()) removeTree(join(cgroup, entry.name));
    }
    rmdirSync(cgroup);
  } catch {
    // Not there, or a process of it is still on its way out: an empty cgroup costs nothing.
  }
}
