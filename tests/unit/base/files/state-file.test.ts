import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { TunnelError } from '../../../../src/base/errors.ts';
import { StateFile } from '../../../../src/base/files/state-file.ts';
import { tempDir } from '../../../support/machine/temp-dir.ts';
import { waitUntil } from '../../../support/wait-until.ts';

function stateFile() {
  const directory = tempDir('state-file');
  onTestFinished(() => directory[Symbol.dispose]());
  return new StateFile([directory.path, 'below'], 'count.json', z.object({ count: z.int() }));
}

const unusable = expect.objectContaining({ code: 'state_dir_unusable' });

test('reads a missing file as undefined', async () => {
  expect(await stateFile().read()).toBeUndefined();
});

test('reads the written content from a file that only its owner can read', async () => {
  const file = stateFile();
  await file.write({ count: 3 });
  expect(await file.read()).toEqual({ count: 3 });
  expect(statSync(file.path).mode & 0o777).toBe(0o600);
});

test.each([['{"count":'], ['{"count":"3"}'], ['']])(
  'rejects a file with the content %j and does not change the file',
  async (text) => {
    const file = stateFile();
    mkdirSync(dirname(file.path), { mode: 0o700 });
    writeFileSync(file.path, text);
    await expect(file.read()).rejects.toEqual(unusable);
    expect(readFileSync(file.path, 'utf8')).toBe(text);
  },
);

test('writes in the order of the calls', async () => {
  const file = stateFile();
  await Promise.all([1, 2, 3, 4].map((count) => file.write({ count })));
  expect(await file.read()).toEqual({ count: 4 });
});

test('does not change other files of the same directory', async () => {
  const directory = tempDir('state-file');
  onTestFinished(() => directory[Symbol.dispose]());
  const schema = z.object({ count: z.int() });
  const files = ['a', 'b', 'c', 'd'].map((name) => new StateFile([directory.path], `${name}.json`, schema));
  for (let count = 0; count < 20; count++) await Promise.all(files.map((file) => file.write({ count })));
  expect(await Promise.all(files.map((file) => file.read()))).toEqual(files.map(() => ({ count: 19 })));
});

test('rejects a write that takes too long, and still finishes the write in order', async () => {
  const file = stateFile();
  await expect(file.write({ count: 1 }, { withinMs: 0 })).rejects.toEqual(unusable);
  await file.write({ count: 2 });
  expect(await file.read()).toEqual({ count: 2 });
});

test('rejects a write if the directory is a file', async () => {
  const directory = tempDir('state-file');
  onTestFinished(() => directory[Symbol.dispose]());
  writeFileSync(join(directory.path, 'below'), '');
  const file = new StateFile([directory.path, 'below'], 'count.json', z.object({ count: z.int() }));
  await expect(file.write({ count: 1 })).rejects.toEqual(unusable);
});

test('recreates a directory that was removed meanwhile', async () => {
  const file = stateFile();
  await file.write({ count: 1 });
  rmSync(dirname(file.path), { recursive: true });
  await file.write({ count: 2 });
  expect(await file.read()).toEqual({ count: 2 });
});

test('removes the file, and accepts a missing file', async () => {
  const file = stateFile();
  await file.write({ count: 1 });
  await file.forget();
  await file.forget();
  expect(existsSync(file.path)).toBe(false);
});

describe('a write that fails', () => {
  const full = () => new TunnelError('state_dir_unusable', 'no space is left');

  /** A file on a disk that takes a write and reports a failure all the same. */
  function doubtful(kept: string | undefined) {
    const disk = { kept, fails: false };
    const change = async (text: string | undefined) => {
      disk.kept = text;
      if (disk.fails) throw full();
    };
    const file = new StateFile(['/state'], 'count.json', z.object({ count: z.int() }), {
      read: async () => disk.kept,
      change,
    });
    return { disk, file };
  }

  test.each([[undefined], ['{"count":1}\n']])('leaves the file as it was before: %j', async (before) => {
    const { disk, file } = doubtful(before);
    await file.read();
    disk.fails = true;
    await expect(file.write({ count: 2 })).rejects.toEqual(unusable);
    expect(file.unwritten).toMatchObject({ path: '/state/count.json' });
    disk.fails = false;
    await waitUntil('the file is as before', () => file.unwritten === undefined);
    expect(disk.kept).toBe(before);
  });

  test('is repeated for what has happened already', async () => {
    const { disk, file } = doubtful(undefined);
    disk.fails = true;
    await expect(file.keep({ count: 2 })).rejects.toEqual(unusable);
    disk.fails = false;
    await waitUntil('the file is written', () => file.unwritten === undefined);
    expect(disk.kept).toBe('{"count":2}\n');
  });

  test('does not take back what has happened meanwhile', async () => {
    const { disk, file } = doubtful('{"count":1}\n');
    await file.read();
    disk.fails = true;
    const [written, kept] = await Promise.allSettled([file.write({ count: 2 }), file.keep({ count: 3 })]);
    expect([written.status, kept.status]).toEqual(['rejected', 'rejected']);
    disk.fails = false;
    await waitUntil('the file is written', () => file.unwritten === undefined);
    expect(disk.kept).toBe('{"count":3}\n');
  });
});

test.each([
  ['a FIFO', (path: string) => execFileSync('mkfifo', [path]), 'not a regular file'],
  ['a directory', (path: string) => mkdirSync(path), 'not a regular file'],
  ['a file of 20 MiB', (path: string) => writeFileSync(path, Buffer.alloc(20 * 1024 * 1024)), 'too large'],
])('refuses to read %s at once', async (_, make, reason) => {
  const file = stateFile();
  mkdirSync(dirname(file.path), { mode: 0o700 });
  make(file.path);
  await expect(file.read()).rejects.toThrow(reason);
});

test('gives up a read that the disk does not answer', async () => {
  const never = () => new Promise<never>(() => {});
  const file = new StateFile(['/state'], 'count.json', z.object({ count: z.int() }), { read: never, change: never });
  await expect(file.read({ withinMs: 10 })).rejects.toEqual(unusable);
});

describe('a file that somebody else touches', () => {
  test.each<[string, (path: string) => void]>([
    ['removed', (path) => rmSync(path)],
    ['changed', (path) => writeFileSync(path, '{"count":9}\n')],
    [
      'replaced by a FIFO',
      (path) => {
        rmSync(path);
        execFileSync('mkfifo', [path]);
      },
    ],
  ])('is written again after it was %s', async (_, act) => {
    const file = stateFile();
    await file.write({ count: 3 });
    expect(await file.restore()).toBe(false);
    act(file.path);
    expect(await file.restore()).toBe(true);
    await waitUntil('the file is written again', () => file.unwritten === undefined && existsSync(file.path));
    await waitUntil('the content is back', async () => (await file.read().catch(() => undefined))?.count === 3);
  });

  test('is removed again if there should be none', async () => {
    const file = stateFile();
    await file.write({ count: 3 });
    await file.forget();
    writeFileSync(file.path, '{"count":9}\n');
    expect(await file.restore()).toBe(true);
    await waitUntil('the file is gone', () => !existsSync(file.path));
  });

  test('is left alone while the disk does not answer: nobody has changed the file', async () => {
    const changes: (string | undefined)[] = [];
    const disk = {
      read: () => new Promise<undefined>(() => {}),
      change: async (text: string | undefined) => void changes.push(text),
    };
    const file = new StateFile(['/state'], 'count.json', z.object({ count: z.int() }), disk);
    await file.write({ count: 3 });
    expect(await file.restore({ withinMs: 5 })).toBe(false);
    expect(changes).toHaveLength(1);
  });

  test('is left alone if it could not be read', async () => {
    const file = stateFile();
    mkdirSync(dirname(file.path), { mode: 0o700 });
    writeFileSync(file.path, 'by hand');
    await file.read().catch(() => {});
    expect([await file.restore(), readFileSync(file.path, 'utf8')]).toEqual([false, 'by hand']);
  });
});
