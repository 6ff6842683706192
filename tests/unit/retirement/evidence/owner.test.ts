import { spawn } from 'node:child_process';
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type { KernelLock } from '../../../../src/retirement/evidence/kernel-lock.ts';
import { lockDescriptor } from '../../../../src/retirement/evidence/kernel-lock.ts';
import { DirectoryTaken } from '../../../../src/retirement/evidence/lock.ts';
import { StateDirectoryOwner } from '../../../../src/retirement/evidence/owner.ts';
import { recordingLogger } from '../../../support/fakes/fake-link.ts';
import { has } from '../../../support/machine/capabilities.ts';
import { tempDir } from '../../../support/machine/temp-dir.ts';

let state: string;
let logged: string[];
const mark = () => join(state, 'events.lock');

beforeEach(() => {
  const dir = tempDir('state-owner');
  onTestFinished(() => dir[Symbol.dispose]());
  state = join(dir.path, 'state');
  logged = [];
});

function owner(lock?: (fd: number) => Promise<KernelLock>, patienceMs?: number): StateDirectoryOwner {
  const log = recordingLogger(logged);
  const made = new StateDirectoryOwner(state, {
    log,
    ...(lock && { lock }),
    ...(patienceMs !== undefined && { patienceMs }),
  });
  onTestFinished(() => made.release(1_000));
  return made;
}

describe.skipIf(!has('flock'))('the owner of a state directory, by the lock of the kernel', () => {
  it('makes the directory, names this process in it, and gives it back', async () => {
    const one = owner();
    await one.claim();
    await one.claim();
    expect(readlinkSync(mark())).toMatch(new RegExp(`^${process.pid} `));
    await one.release(1_000);
    expect(() => readlinkSync(mark())).toThrow('ENOENT');
    await owner().claim();
  });

  it('refuses a second owner by the pid of the first, although the mark of the first is gone', async () => {
    const [first, second] = [owner(), owner()];
    await first.claim();
    await expect(second.claimAtStart()).rejects.toThrow(`another daemon (pid ${process.pid})`);
    rmSync(mark());
    await expect(second.claimAtStart()).rejects.toThrow(DirectoryTaken);
    await first.release(1_000);
    await second.claim();
  });

  it('touches nothing of another owner: neither its unfinished writes nor its state files', async () => {
    const [first, second] = [owner(), owner()];
    await first.claim();
    const unfinished = join(state, '.retired.json.0123456789ab.tmp');
    writeFileSync(unfinished, 'the first owner is writing');
    await expect(second.claim()).rejects.toThrow(DirectoryTaken);
    await expect(second.disk([state], 'retired.json').change('{}')).rejects.toThrow(DirectoryTaken);
    expect(readdirSync(state).toSorted()).toEqual(['.retired.json.0123456789ab.tmp', 'events.lock']);
    await first.release(1_000);
    await second.disk([state], 'retired.json').change('{}');
    expect(readdirSync(state).toSorted()).toEqual(['events.lock', 'retired.json']);
  });

  it('takes a directory that was replaced under the old name, too', async () => {
    const [first, second] = [owner(), owner()];
    await first.claim();
    renameSync(state, `${state}-old`);
    mkdirSync(state, { mode: 0o700 });
    await first.claim();
    await expect(second.claim()).rejects.toThrow(DirectoryTaken);
  });

  it('is refused by a lock that another process holds on the open file, and not after its death', async () => {
    mkdirSync(state, { mode: 0o700 });
    const holder = spawn('flock', ['-xn', state, 'sh', '-c', 'echo held; exec sleep 60'], {
      stdio: ['ignore', 'pipe', 'ignore'],
      detached: true,
    });
    onTestFinished(() => void holder.kill('SIGKILL'));
    await new Promise((resolve) => holder.stdout?.once('data', resolve));
    await expect(owner().claim()).rejects.toThrow('another process uses the state directory');
    process.kill(-(holder.pid ?? 0), 'SIGKILL');
    await expect.poll(() => owner().claim()).toBeUndefined();
  });
});

describe('the lock of a process that was killed a moment ago', () => {
  it('is waited for, for about a second', async () => {
    const answers: KernelLock[] = ['taken', 'taken', 'locked'];
    await owner(async () => answers.shift() ?? 'taken').claim();
    expect(answers).toEqual([]);
    await expect(owner(async () => 'taken').claim()).rejects.toThrow(DirectoryTaken);
  });
});

describe('the owner of a state directory, without a lock of the kernel', () => {
  const none = async () => 'unavailable' as const;

  it('says loudly that the lock is weak', async () => {
    const one = owner(none);
    expect(one.advisories()).toEqual([]);
    await one.claim();
    expect([logged, one.advisories()]).toEqual([
      ['state_dir.lock_weak'],
      [expect.objectContaining({ code: 'state_dir_lock_weak' })],
    ]);
  });

  it('finds no lock of the kernel where flock is missing', async () => {
    expect(await lockDescriptor(0, { PATH: '/nowhere' })).toBe('unavailable');
  });

  it('takes over from an owner that has ended, but not from one that lives', async () => {
    mkdirSync(state, { mode: 0o700 });
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    const stat = readFileSync('/proc/1/stat', 'utf8');
    const began = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
    for (const gone of [`1 1 ${boot}`, `1 ${began} another-boot`, '4194999 5 gone', 'nonsense']) {
      symlinkSync(gone, mark());
      const one = owner(none);
      await one.claim();
      await one.release(1_000);
    }
    symlinkSync(`1 ${began} ${boot}`, mark());
    await expect(owner(none).claim()).rejects.toThrow('another daemon (pid 1)');
  });

  it('starts without a directory that is unusable, or does not answer in time', async () => {
    writeFileSync(state, '');
    await owner(none).claimAtStart();
    rmSync(state);
    let answer = (_: 'unavailable') => {};
    const lock = () =>
      new Promise<'unavailable'>((resolve) => {
        answer = resolve;
      });
    const late = owner(lock, 10);
    await late.claimAtStart();
    answer('unavailable');
    await late.release(5_000);
  });
});
