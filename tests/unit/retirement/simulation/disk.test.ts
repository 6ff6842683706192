import { constants } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { SimClock } from '../../../support/simulation/clock.ts';
import { SimDisk } from '../../../support/simulation/disk.ts';
import { DiskMount } from '../../../support/simulation/mount.ts';

const PATH = '/sim/state/file';

interface File {
  write(bytes: Uint8Array): Promise<unknown>;
  sync(): Promise<void>;
}

/** A machine with one process and its open file. */
async function machine(random = () => 0.5) {
  const clock = new SimClock();
  const disk = new SimDisk(clock);
  const mount = new DiskMount(disk, random);
  const done = async <T>(call: unknown): Promise<T> => {
    const settled = (call as Promise<T>).then(
      (value) => ({ value }),
      (error: Error) => ({ error }),
    );
    await clock.run(10);
    const result = await Promise.race([settled, Promise.resolve(undefined)]);
    if (result === undefined) throw new Error('no answer');
    if ('error' in result) throw result.error;
    return result.value;
  };
  const open = mount.calls.open as unknown as (path: string, flags: number) => Promise<File>;
  const file = await done<File>(open(PATH, constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND));
  const write = (text: string) => done(file.write(Buffer.from(text)));
  return { clock, disk, mount, file, done, write };
}

describe('the disk of the simulator', () => {
  it.each([
    ['refuses', 'EIO', 'one'],
    ['full', 'ENOSPC', 'one'],
    ['keeps and refuses', 'EIO', 'onetwo'],
  ] as const)('that %s answers a write with %s', async (fault, code, content) => {
    const { disk, write } = await machine();
    await write('one');
    disk.break(fault);
    await expect(write('two')).rejects.toMatchObject({ code });
    expect(disk.peek(PATH)).toBe(content);
    disk.heal();
    await write('three');
    expect(disk.peek(PATH)).toBe(`${content}three`);
  });

  it('that is read-only takes bytes for an open file alone', async () => {
    const { disk, done, mount, write } = await machine();
    disk.break('read-only');
    await write('one');
    const { open, unlink } = mount.calls as unknown as Record<'open' | 'unlink', (...args: unknown[]) => unknown>;
    await expect(done(open(PATH, constants.O_WRONLY))).rejects.toMatchObject({ code: 'EROFS' });
    await expect(done(open(`${PATH}2`, constants.O_WRONLY | constants.O_CREAT))).rejects.toMatchObject({
      code: 'EROFS',
    });
    await expect(done(unlink(PATH))).rejects.toMatchObject({ code: 'EROFS' });
    expect([disk.peek(PATH), disk.brokenSince]).toEqual(['one', undefined]);
    await done(open(PATH, constants.O_RDONLY));
  });

  it('that hangs answers once it has healed', async () => {
    const { clock, disk, file } = await machine();
    disk.break('hangs');
    let written = false;
    void file.write(Buffer.from('late')).then(() => {
      written = true;
    });
    await clock.run(100_000);
    expect([written, disk.peek(PATH)]).toEqual([false, '']);
    disk.heal();
    await clock.run(1);
    expect([written, disk.peek(PATH)]).toEqual([true, 'late']);
  });

  it('loses at a power cut what was not synced, but for a part of it', async () => {
    const { disk, done, file, write } = await machine(() => 0.5);
    await write('kept');
    await done(file.sync());
    await write('lost');
    disk.powerCut(() => 0.5);
    expect(disk.peek(PATH)).toBe('keptlo');
  });

  it('loses, when its cache lies, even a sync that was confirmed, and nothing older', async () => {
    const { disk, done, file, write } = await machine();
    await write('one');
    await done(file.sync());
    await write('two');
    await done(file.sync());
    disk.powerCutWithLostSyncs(() => 0.9);
    expect(disk.peek(PATH)).toBe('one');
  });

  it('locks a directory for one open file, until its process ends', async () => {
    const { disk, mount, done } = await machine();
    disk.make('/sim/state', 'directory');
    const other = new DiskMount(disk, () => 0.5);
    const openIn = ({ calls }: DiskMount) =>
      done<{ fd: number }>((calls.open as unknown as (path: string) => Promise<unknown>)('/sim/state'));
    const [own, foreign] = [await openIn(mount), await openIn(other)];
    expect([mount.lock(own.fd), other.lock(foreign.fd)]).toEqual([true, false]);
    mount.kill();
    expect(other.lock(foreign.fd)).toBe(true);
  });

  it('keeps at kill -9 what was written, and a part of the write under way', async () => {
    const { clock, disk, mount, file, write } = await machine(() => 0.4);
    await write('written');
    const underWay = expect(file.write(Buffer.from('12345'))).rejects.toThrow('EIO');
    mount.kill();
    await underWay;
    await clock.run(10);
    expect(disk.peek(PATH)).toBe('written12');
  });
});
