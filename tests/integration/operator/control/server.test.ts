import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readdirSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TunnelError } from '../../../../src/base/errors.ts';
import { ControlRefused } from '../../../../src/base/refusal.ts';
import { answer, type ControlActions } from '../../../../src/operator/control/answer.ts';
import { CommandRefused, ControlUnavailable, command } from '../../../../src/operator/control/client.ts';
import { ControlPoint } from '../../../../src/operator/control/point.ts';
import { type ControlRequest, reloadResult, rotateResult } from '../../../../src/operator/control/protocol.ts';
import { type ControlServer, startControlServer } from '../../../../src/operator/control/server.ts';
import { createLogger } from '../../../../src/telemetry/log/log.ts';
import { dial, say } from '../../../support/daemon/control-socket.ts';
import { expectNoLeaks, type Holdings, takeBaseline } from '../../../support/machine/leaks.ts';
import { type TempDir, tempDir } from '../../../support/machine/temp-dir.ts';
import { waitUntil } from '../../../support/wait-until.ts';

const never = new AbortController().signal;
const log = createLogger({ level: 'fatal' });
const RELOAD: ControlRequest = { command: 'reload' };
/** A busy machine sends a request late, and no test but those of the time limit means that limit. */
const LIMITS = { patienceMs: 20_000, beatMs: 40 };
const IMPATIENT = { ...LIMITS, patienceMs: 500 };

let baseline: Holdings;
let temp: TempDir;
let path: string;
let actions: ControlActions;
const servers: ControlServer[] = [];
const bugs: unknown[] = [];

beforeEach(async () => {
  baseline = await takeBaseline(50);
  temp = tempDir('control');
  path = join(temp.path, 'run', 'control.sock');
  actions = {
    settled: async () => {},
    planEdited: async () => ({ seq: 1 }),
    releaseObserved: async () => ({ seq: 1 }),
    reload: async () => ({
      outcome: { ok: true, replaced: [], moved: [], changes: 'nothing changed' },
      tunnels: [],
      blocked: [],
    }),
    up: async () => [],
    down: async () => [],
    cutover: () => Promise.reject(new Error('not asked for')),
    rehearseCutover: () => Promise.reject(new Error('not asked for')),
    rollback: () => Promise.reject(new Error('not asked for')),
    rotate: async () => 'rotated',
    retire: async () => ({ tunnel: 'hub', done: true, verdict: null, left: [], overridden: [], steps: [] }),
  };
});
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.close();
    server.dropAll();
  }
  await expectNoLeaks(baseline);
  temp[Symbol.dispose]();
  bugs.length = 0;
});

async function start(at = path, limits = LIMITS): Promise<ControlServer> {
  const server = await startControlServer(at, {
    answer: (line) => answer(line, actions, (error) => bugs.push(error)),
    onError: () => {},
    limits,
  });
  servers.push(server);
  return server;
}

const reload = (silenceMs?: number) => command(path, RELOAD, reloadResult, never, silenceMs);
const mode = (at: string) => (statSync(at).mode & 0o777).toString(8);
const codeOf = (text: string) => JSON.parse(text).error.code;

describe('the control socket', () => {
  it('refuses a path that no client can connect to, and the client says why', async () => {
    const long = join(temp.path, 'x'.repeat(120));
    const start = startControlServer(long, { answer: (line) => answer(line, actions, () => {}), onError: () => {} });
    await expect(start).rejects.toMatchObject({ message: expect.stringContaining('107 are possible') });
    await expect(command(long, RELOAD, reloadResult, never)).rejects.toThrow(/too long for a socket/);
  });

  it('limits the control socket and its directory to owner and group, and removes them at the end', async () => {
    const before = process.umask(0o077);
    await start().finally(() => process.umask(before));
    expect([mode(path), mode(join(temp.path, 'run'))]).toEqual(['660', '750']);
    expect(await reload()).toEqual({ changes: 'nothing changed', tunnels: [], blocked: [] });
    for (const server of servers.splice(0)) server.close();
    expect(readdirSync(join(temp.path, 'run'))).toEqual([]);
  });

  it('replaces the socket of a dead daemon, and refuses the path of a running one', async () => {
    await start();
    await expect(start()).rejects.toMatchObject({
      code: 'listen_in_use',
      message: /the control socket.*another program/,
    });
    expect(await reload()).toBeDefined();
    // What kill -9 leaves: a socket file that is bound to nothing.
    const dead = createServer().listen(join(temp.path, 'run', 'aside'));
    await once(dead, 'listening');
    const stale = join(temp.path, 'run', 'stale.sock');
    renameSync(join(temp.path, 'run', 'aside'), stale);
    dead.close();
    await start(stale);
    expect(await command(stale, RELOAD, reloadResult, never)).toBeDefined();
  });

  it.each([
    ['that others may write to', () => chmodSync(join(temp.path, 'run'), 0o777), /written to by others/],
    ['that is a file', () => {}, /is not a directory|cannot be created/],
  ])('refuses a socket directory %s', async (what, prepare, message) => {
    if (what === 'that is a file') writeFileSync(join(temp.path, 'run'), '');
    else mkdirSync(join(temp.path, 'run'));
    prepare();
    await expect(start()).rejects.toMatchObject({ code: 'internal', message });
  });

  it.each([
    ['garbage', Buffer.from([0xff, 0x00, 0x0a]), 'bad_request'],
    ['JSON that is no request', '[]\n', 'bad_request'],
    ['an unknown command', '{"command":"relod"}\n', 'unknown_command'],
    ['a command without its names', '{"command":"down"}\n', 'bad_request'],
    ['a command of no names', '{"command":"down","names":[]}\n', 'bad_request'],
    ['prototype tricks', '{"__proto__":{"command":"reload"}}\n', 'bad_request'],
    ['a line without end', `{"command":"${'x'.repeat(70_000)}`, 'too_large'],
    ['a line that is too long', `{"command":"${'x'.repeat(70_000)}"}\n`, 'too_large'],
    ['nothing', '', 'request_timeout'],
    ['half a request', '{"command":', 'request_timeout'],
  ])('answers %s with an error, and keeps serving', async (_, bytes, code) => {
    await start(path, code === 'request_timeout' ? IMPATIENT : LIMITS);
    const text = await say(path, bytes);
    expect(codeOf(text)).toBe(code);
    expect(text.length).toBeLessThan(2_000);
    expect(await reload()).toBeDefined();
    expect(bugs).toEqual([]);
  });

  it('answers a client that half-closes, and drops clients that leave or never read', async () => {
    await start(path, IMPATIENT);
    expect(JSON.parse(await say(path, '{"command":"reload"}\n', { end: true }))).toMatchObject({ ok: true });
    expect(await say(path, '', { end: true })).toBe('');
    const deaf = dial(path).pause();
    deaf.write('{"command":"reload"}\n');
    const gone = dial(path);
    await once(gone, 'connect');
    gone.destroy();
    await waitUntil('the deaf one is dropped: nobody takes what it writes', () => {
      deaf.write('x');
      return deaf.destroyed;
    });
  });

  it('drops the oldest silent clients of a flood, serves the others, and keeps running commands', async () => {
    let finish = () => {};
    const slow = new Promise<void>((resolve) => {
      finish = resolve;
    });
    actions = { ...actions, rotate: () => slow.then(() => 'late') };
    await start();
    const running = command(path, { command: 'rotate', actor: 'x' }, rotateResult, never, 5_000);
    const hung: Socket[] = Array.from({ length: 300 }, () => dial(path));
    expect(await command(path, RELOAD, reloadResult, never)).toBeDefined();
    await waitUntil('the flood made room', () => hung.filter((socket) => socket.closed).length >= 300 - 32);
    expect(hung.slice(0, 200).every((socket) => socket.closed)).toBe(true);
    finish();
    expect(await running).toEqual({ outcome: 'late' });
    for (const socket of hung) socket.destroy();
  });

  it('refuses commands beyond the most that run at the same time', async () => {
    let finish = () => {};
    const slow = new Promise<void>((resolve) => {
      finish = resolve;
    });
    actions = { ...actions, rotate: () => slow.then(() => 'late') };
    await start();
    const ends: unknown[] = [];
    const many = Array.from({ length: 40 }, async () => {
      const asked = command(
        path,
        { command: 'rotate', actor: 'x' },
        rotateResult,
        new AbortController().signal,
        60_000,
      );
      const end = await asked.then(
        () => 'done',
        (error) => (error instanceof CommandRefused ? error.refusal.code : error),
      );
      ends.push(end);
    });
    await waitUntil('eight are refused', () => ends.length >= 8);
    expect(ends).toEqual(Array(8).fill('not_ready'));
    finish();
    await Promise.all(many);
    expect(ends.filter((end) => end === 'done')).toHaveLength(32);
  });

  it('sends signs of life during a long command, and finishes the command if the client leaves', async () => {
    let finish: (() => void) | undefined;
    let finished = 0;
    actions = {
      ...actions,
      reload: () =>
        new Promise((resolve) => {
          finish = () => {
            finished++;
            resolve({ outcome: { ok: true, replaced: [], moved: [], changes: 'late' }, tunnels: [], blocked: [] });
          };
        }),
    };
    await start();
    const patient = command(path, RELOAD, reloadResult, never, 1_000);
    const finishes = await waitUntil('the command is under way', () => finish);
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    finishes();
    expect(await patient).toEqual({ changes: 'late', tunnels: [], blocked: [] });

    const leaver = new AbortController();
    const left = command(path, RELOAD, reloadResult, leaver.signal);
    await waitUntil('the command is under way', () => finished === 1 && finish !== undefined);
    leaver.abort(new Error('Ctrl-C'));
    await expect(left).rejects.toThrow('Ctrl-C');
  });

  it('distinguishes a refusal, a failure of a tunnel and a bug', async () => {
    await start();
    const fails = async (error: Error) => {
      actions = { ...actions, reload: () => Promise.reject(error) };
      return reload().then(
        () => undefined,
        (thrown) => (thrown instanceof CommandRefused ? thrown.refusal.code : thrown),
      );
    };
    expect(await fails(new ControlRefused('not_ready', 'x', { hint: 'y' }))).toBe('not_ready');
    expect(await fails(new TunnelError('listen_in_use', 'x'))).toBe('listen_in_use');
    expect(bugs).toEqual([]);
    expect(await fails(new RangeError('a bug'))).toBe('internal');
    expect(bugs).toHaveLength(1);
  });

  it.each([
    ['is missing', async () => {}, /no control socket/],
    ['is silent', (at: string) => mute(at, () => {}), /did not respond for 0.5 s/],
    ['ends at once', (at: string) => mute(at, (socket) => socket.end()), /without a reply/],
    ['speaks something else', (at: string) => mute(at, (socket) => socket.end('HTTP/1.1 400\r\n')), /unexpected reply/],
  ])('reports in the client that the socket %s', async (what, prepare, message) => {
    mkdirSync(join(temp.path, 'run'));
    const silenceMs = what === 'is silent' ? 500 : undefined;
    const stop = await prepare(path);
    await expect(reload(silenceMs)).rejects.toThrow(ControlUnavailable);
    await expect(reload(silenceMs)).rejects.toThrow(message);
    stop?.();
  });
});

async function mute(at: string, meet: (socket: Socket) => void): Promise<() => void> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket.on('error', () => {}));
    meet(socket);
  });
  server.listen(at);
  await once(server, 'listening');
  return () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
}

describe(ControlPoint, () => {
  it('reports why the socket cannot be created, and continues', async () => {
    const point = new ControlPoint(actions, log);
    await point.listen('/proc/nowhere/control.sock');
    expect(point.advisories()[0]?.message).toContain('/proc/nowhere');
    expect(point.advisories()[0]?.message).toContain('RuntimeDirectory=fleet-mesh');
    expect(point.isOpen).toBe(false);
    await point.listen(path);
    expect(point.advisories()).toEqual([]);
    point.stop();
  });

  it('creates the new socket before it closes the old one, and keeps the old one if the new path is in use', async () => {
    const point = new ControlPoint(actions, log);
    await point.listen(path);
    const taken = join(temp.path, 'run', 'taken.sock');
    await start(taken);
    await expect(point.listen(taken)).rejects.toMatchObject({ code: 'listen_in_use' });
    expect(await reload()).toBeDefined();
    const moved = join(temp.path, 'run', 'moved.sock');
    await point.listen(moved);
    expect([existsSync(path), existsSync(moved)]).toEqual([false, true]);
    point.stop();
    expect(existsSync(moved)).toBe(false);
  });
});
