import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Listener, listen } from '../../../../src/base/net/listener.ts';
import { has } from '../../../support/machine/capabilities.ts';
import { requireProgram } from '../../../support/machine/find-program.ts';
import { expectNoLeaks, takeBaseline } from '../../../support/machine/leaks.ts';
import { type TempDir, tempDir } from '../../../support/machine/temp-dir.ts';

let directory: TempDir;
let path: string;
const listeners: Listener[] = [];

beforeEach(() => {
  directory = tempDir('unix');
  path = join(directory.path, 'a.sock');
});
afterEach(async () => {
  for (const listener of listeners.splice(0)) await listener.close();
  directory[Symbol.dispose]();
});

async function bind(at = path): Promise<Listener> {
  const listener = await listen(
    { kind: 'unix', path: at },
    (socket) =>
      socket
        .on('error', () => {})
        .resume()
        .end('ours'),
    () => {},
  );
  listeners.push(listener);
  return listener;
}

const names = () => readdirSync(directory.path).sort();

async function answer(at = path): Promise<string> {
  let text = '';
  for await (const chunk of connect({ path: at })) text += String(chunk);
  return text;
}

/** A socket of another program. libuv would remove the file with its server; a crash leaves the file behind. */
async function other(at: string): Promise<Server> {
  const server = createServer((socket) =>
    socket
      .on('error', () => {})
      .resume()
      .end('theirs'),
  );
  server.listen(at);
  await once(server, 'listening');
  return server;
}

/** Leaves a socket file without a listener. */
async function leaveStale(): Promise<number> {
  const aside = join(directory.path, 'aside');
  const server = await other(aside);
  renameSync(aside, path);
  server.close();
  return lstatSync(path).ino;
}

describe('a Unix listener', () => {
  it.each([0o000, 0o022, 0o777])('lets only its owner connect, with umask %o', async (umask) => {
    const before = process.umask(umask);
    try {
      await bind();
    } finally {
      process.umask(before);
    }
    expect(lstatSync(path).mode & 0o777).toBe(0o600);
    expect(await answer()).toBe('ours');
    expect(names()).toEqual(['a.sock']);
  });

  it('removes its own file at close, and no other file', async () => {
    const listener = await bind();
    await listener.close();
    expect(names()).toEqual([]);
    await bind();
    expect(await answer()).toBe('ours');
  });

  it('binds a path of 107 bytes', async () => {
    const longest = join(directory.path, 'x'.repeat(106 - directory.path.length));
    expect(longest).toHaveLength(107);
    await bind(longest);
    expect(await answer(longest)).toBe('ours');
  });

  it('replaces a stale socket', async () => {
    const stale = await leaveStale();
    await bind();
    expect(await answer()).toBe('ours');
    expect(lstatSync(path).isSocket()).toBe(true);
    expect(names()).toEqual(['a.sock']);
    expect(stale).toBeGreaterThan(0);
  });

  it('does not replace a live socket', async () => {
    const server = await other(path);
    await expect(bind()).rejects.toMatchObject({ code: 'listen_in_use', message: expect.stringContaining(path) });
    expect(await answer()).toBe('theirs');
    expect(names()).toEqual(['a.sock']);
    server.close();
  });

  it('keeps a file that has replaced its own at close', async () => {
    const listener = await bind();
    unlinkSync(path);
    const server = await other(path);
    await listener.close();
    expect(await answer()).toBe('theirs');
    server.close();
  });

  it.each([
    ['a regular file', () => writeFileSync(path, 'precious')],
    ['a directory', () => mkdirSync(path)],
    ['a symbolic link', () => symlinkSync('nowhere', path)],
  ])('never replaces %s', async (kind, make) => {
    make();
    const before = lstatSync(path);
    await expect(bind()).rejects.toMatchObject({
      code: 'listen_in_use',
      message: `the tunnel cannot listen on unix:${path}: the path is ${kind}`,
    });
    expect(lstatSync(path).ino).toBe(before.ino);
    if (before.isFile()) expect(readFileSync(path, 'utf8')).toBe('precious');
    expect(names()).toEqual(['a.sock']);
  });

  it('does not follow a symbolic link to a stale socket', async () => {
    await leaveStale();
    const real = join(directory.path, 'real.sock');
    renameSync(path, real);
    symlinkSync(real, path);
    await expect(bind()).rejects.toMatchObject({ code: 'listen_in_use' });
    expect(lstatSync(real).isSocket()).toBe(true);
  });

  it.skipIf(!has('python3'))(
    'does not replace a datagram socket, which rejects streams with another error',
    async () => {
      const script =
        'import socket, sys; s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind(sys.argv[1]); input()';
      const child = spawn(requireProgram('python3'), ['-I', '-c', script, path], {
        stdio: ['pipe', 'ignore', 'ignore'],
      });
      try {
        await expect.poll(() => names()).toEqual(['a.sock']);
        await expect(bind()).rejects.toMatchObject({ code: 'listen_in_use' });
        expect(names()).toEqual(['a.sock']);
      } finally {
        child.stdin.end('\n');
        await once(child, 'close');
      }
    },
  );

  it.skipIf(!has('root'))('never replaces a socket of another user', async () => {
    await leaveStale();
    chownSync(path, 65_534, 65_534);
    await expect(bind()).rejects.toMatchObject({
      code: 'listen_in_use',
      message: expect.stringContaining('the socket belongs to another user'),
    });
  });

  it('reports a missing directory', async () => {
    await expect(bind(join(directory.path, 'missing', 'a.sock'))).rejects.toMatchObject({
      message: expect.stringContaining('the directory does not exist'),
    });
  });

  it('lets exactly one of several concurrent listeners bind, with or without a stale socket', async () => {
    for (const stale of [false, true]) {
      if (stale) await leaveStale();
      const attempts = await Promise.allSettled(Array.from({ length: 5 }, () => bind()));
      expect(attempts.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      expect(await answer()).toBe('ours');
      expect(names()).toEqual(['a.sock']);
      for (const listener of listeners.splice(0)) await listener.close();
      expect(names()).toEqual([]);
    }
  });

  it('leaves nothing behind after a failure', async () => {
    const round = async () => {
      const listener = await bind();
      await expect(bind()).rejects.toThrow();
      await answer();
      await listener.close();
    };
    await round();
    const baseline = await takeBaseline();
    for (let time = 0; time < 20; time += 1) await round();
    await expectNoLeaks(baseline);
    expect(names()).toEqual([]);
  });
});
