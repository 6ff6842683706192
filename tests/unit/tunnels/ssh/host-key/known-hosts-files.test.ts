import { execFileSync } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import { mkdtemp, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { KnownHostsFiles } from '../../../../../src/tunnels/ssh/host-key/known-hosts-files.ts';
import { LoopGap } from '../../../../support/loop-gap.ts';
import { patient } from '../../../../support/patience.ts';
import { hashedLines, hashedName } from '../../../../support/peers/hashed-known-hosts.ts';
import { keyLine } from '../key-line.ts';

const ED = 'ssh-ed25519';

describe(KnownHostsFiles, () => {
  let directory: string;
  let path: string;
  let files: KnownHostsFiles;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'known-hosts-'));
    path = join(directory, 'kh');
    files = new KnownHostsFiles();
  });
  afterEach(() => rm(directory, { recursive: true }));

  test('finds the lines about a host, and lists unusable lines', async () => {
    await writeFile(path, `${keyLine('a', ED, 'a')}\nbroken\n${keyLine('b', ED, 'b')}\n`);
    const { lines, problems } = await files.find(path, 'b', 22);
    expect(lines.plainKeys.map(({ place }) => place)).toEqual([`${path}:3`]);
    expect(problems).toEqual([`${path}:2: expected "hosts key-type key"`]);
  });

  test.each([
    ['missing', undefined, 'does not exist'],
    ['empty', '', 'has no entry'],
    ['only comments', '# nothing\n\n', 'has no entry'],
    ['only broken lines', 'broken\n', 'has no usable line'],
  ])('rejects a file that is %s with host_key_unknown, and hints at the fix', async (_, content, message) => {
    if (content !== undefined) await writeFile(path, content);
    await expect(files.find(path, 'coulombcore', 22)).rejects.toMatchObject({
      code: 'host_key_unknown',
      message: expect.stringContaining(message),
      hint: expect.stringMatching(/ssh-keyscan.*Compare/),
    });
  });

  test('reports that known_hosts is a directory', async () => {
    await expect(files.find(directory, 'coulombcore', 22)).rejects.toMatchObject({
      code: 'host_key_unknown',
      message: expect.stringContaining('is a directory'),
    });
  });

  test('rejects a FIFO immediately, with or without a writer', async () => {
    execFileSync('mkfifo', [path]);
    await expect(files.find(path, 'coulombcore', 22)).rejects.toMatchObject({
      code: 'host_key_unknown',
      message: expect.stringContaining('is not a regular file'),
    });
  });

  test('rejects a file that changes all the time: half of a file may lack a revoked key', async () => {
    await writeFile(path, `${keyLine('a', ED, 'a')}\n`);
    let writing = true;
    const write = () => {
      appendFileSync(path, '#\n');
      if (writing) setImmediate(write);
    };
    write();
    await expect(files.find(path, 'a', 22)).rejects.toThrow(/changed each time/);
    writing = false;
  });

  test('parses and searches a content once, for all links', async () => {
    await writeFile(path, [...hashedLines(10), `${hashedName('a')} ${keyLine('', ED, 'a').trim()}`].join('\n'));
    const [first, second] = await Promise.all([files.find(path, 'a', 22), files.find(path, 'a', 22)]);
    const third = await files.find(path, 'a', 22);
    expect(first.lines.plainKeys).toHaveLength(1);
    expect(second.lines).toBe(first.lines);
    expect(third.lines).toBe(first.lines);
  });

  test('takes a change at once, even one that keeps size and time stamps', async () => {
    await writeFile(path, `${keyLine('a', ED, 'a')}\n`);
    const { atime, mtime } = await stat(path);
    const before = await files.find(path, 'a', 22);
    await writeFile(path, `${keyLine('a', ED, 'b')}\n`);
    await utimes(path, atime, mtime);
    const after = await files.find(path, 'a', 22);
    expect(after.lines.plainKeys[0]?.blob).not.toEqual(before.lines.plainKeys[0]?.blob);
    await writeFile(path, `${keyLine('b', ED, 'b')}\n`);
    expect((await files.find(path, 'a', 22)).lines.plainKeys).toEqual([]);
  });

  test('searches 20,000 hashed lines for six links without standing still for 20 ms', async () => {
    await writeFile(path, hashedLines(20_000).join('\n'));
    const gap = new LoopGap();
    const hosts = Array.from({ length: 6 }, (_, index) => `link${index}.example`);
    const found = await Promise.all(hosts.map((host) => files.find(path, host, 2222)));
    expect(gap.stop()).toBeLessThan(patient(20));
    expect(found.every(({ lines }) => lines.plainKeys.length === 0)).toBe(true);
    // Ends a hang, and measures nothing.
  }, 600_000);
});
