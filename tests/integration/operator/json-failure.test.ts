import { setMaxListeners } from 'node:events';
import { join } from 'node:path';
import type { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { main, program } from '../../../src/program.ts';
import { type RunningEndpoint, startEndpoint } from '../../support/daemon/endpoint.ts';
import { freePort } from '../../support/peers/loopback.ts';

let endpoint: RunningEndpoint;
let closed = 0;
beforeAll(async () => {
  // Every run listens to the process once more.
  setMaxListeners(200, process, process.stdout, process.stderr);
  endpoint = await startEndpoint();
  closed = await freePort();
});
afterAll(() => endpoint.stop());

/** Runs the program in this process. */
async function run(args: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  let out = '';
  let err = '';
  const stdout = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    out += String(text);
    return true;
  });
  const stderr = vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    err += String(text);
    return true;
  });
  try {
    return { code: await main(['node', 'fleet-mesh', ...args]), out, err };
  } finally {
    stdout.mockRestore();
    stderr.mockRestore();
  }
}

/** Every command with `--json`: its words, the words with required arguments and options, and its options. */
function jsonCommands(command: Command = program, words: readonly string[] = []): [string, string[], string[]][] {
  const options = command.options.flatMap(({ long }) => long ?? []);
  const own = options.includes('--json')
    ? [
        [
          words.join(' '),
          [
            ...words,
            ...command.registeredArguments.filter(({ required }) => required).map(() => 'nope'),
            ...command.options.filter(({ mandatory }) => mandatory).flatMap(({ long }) => [long ?? '', 'nope']),
          ],
          options,
        ] satisfies [string, string[], string[]],
      ]
    : [];
  return [...own, ...command.commands.flatMap((each) => jsonCommands(each, [...words, each.name()]))];
}

const COMMANDS = jsonCommands();

/** These commands write files or change the machine: a mistake in the arguments is enough. */
const CHANGES = new Set(['install', 'uninstall']);

const failure = (code: unknown = expect.stringMatching(/^\w+$/)) => ({
  ok: false,
  error: { code, message: expect.stringMatching(/./), hint: expect.any(String), details: expect.any(Array) },
});

test('finds the commands with --json', () => {
  expect(COMMANDS.length).toBeGreaterThan(20);
});

test.each(COMMANDS)('%s --json reports a wrong option as JSON', async (_name, args) => {
  const { code, out, err } = await run([...args, '--json', '--no-such-option']);
  expect(code).toBe(64);
  expect(err).toContain("unknown option '--no-such-option'");
  expect(JSON.parse(out)).toEqual(failure('usage'));
});

test.each(COMMANDS.filter(([name]) => !CHANGES.has(name)))(
  '%s --json reports as JSON that there is no file and no daemon',
  async (_name, args, options) => {
    // A file has no files in it: no command can make this one.
    const has = (long: string) => options.includes(long);
    const { code, out } = await run([
      ...args,
      '--json',
      ...(has('--config') ? ['--config', join('/dev/null', 'tunnels.yaml')] : []),
      ...(has('--endpoint') ? ['--endpoint', `127.0.0.1:${closed}`] : []),
      ...(args[0] === 'wait' ? ['--timeout', '1ms'] : []),
    ]);
    expect(code).not.toBe(0);
    expect([false, null]).toContain(JSON.parse(out).ok);
  },
);

describe.each(['status', 'why', 'events', 'fleet'])('%s --json', (name) => {
  const subject = name === 'fleet' ? [] : name === 'events' ? ['--tunnel', 'nope'] : ['nope'];

  test('names an unreachable daemon and the fix', async () => {
    const { code, out, err } = await run([name, ...subject, '--json', '--endpoint', `127.0.0.1:${closed}`]);
    expect(code).toBe(2);
    const { error } = JSON.parse(out);
    expect({ ok: false, error }).toEqual(failure('unreachable'));
    expect(error.message).toContain('refused: the daemon is not running');
    expect(error.hint).toContain('systemctl status fleet-mesh');
    expect(err).toBe(`fleet-mesh: ${error.message}\n${error.hint}\n`);
  });

  test('names a wrong endpoint', async () => {
    const { code, out } = await run([name, ...subject, '--json', '--endpoint', 'nowhere']);
    expect(code).toBe(64);
    expect(JSON.parse(out)).toEqual(failure('usage'));
  });
});

test.each([
  ['status', 'nope'],
  ['why', 'nope'],
  ['events', '--tunnel', 'nope'],
])('%s --json names an unknown tunnel', async (...args) => {
  const { code, out } = await run([...args, '--json', '--endpoint', `127.0.0.1:${endpoint.port}`]);
  expect(code).toBe(4);
  expect(JSON.parse(out)).toEqual(failure('unknown_tunnel'));
});

test('writes one line for a follower', async () => {
  const { code, out } = await run(['events', '--follow', '--json', '--endpoint', `127.0.0.1:${closed}`]);
  expect({ code, lines: out.trimEnd().split('\n').length }).toEqual({ code: 2, lines: 1 });
  expect(JSON.parse(out)).toEqual(failure('unreachable'));
});

test('keeps every line of an invalid file as a detail', async () => {
  const file = 'tests/fixtures/config/invalid/seven-mistakes.yaml';
  const { code, out } = await run(['acceptance', '--offline', 'x', '--json', '--config', file]);
  expect(code).toBe(78);
  const { error } = JSON.parse(out);
  expect({ ok: false, error }).toEqual(failure('config_invalid'));
  expect(error.details).toHaveLength(7);
});

describe('help', () => {
  test.each([
    [['help', 'chekc'], 'unknown command "chekc"; did you mean "check"?', 'fleet-mesh --help'],
    [['chekc', '--help'], 'unknown command "chekc"; did you mean "check"?', 'fleet-mesh --help'],
    [['--help', 'chekc'], 'unknown command "chekc"; did you mean "check"?', 'fleet-mesh --help'],
    [['help', 'plan', 'aprove'], 'unknown command "aprove"; did you mean "approve"?', 'fleet-mesh plan --help'],
    [['import', 'help', 'nope'], 'unknown command "nope"', 'fleet-mesh import --help'],
  ])('refuses %j, and names the nearest command', async (args, message, list) => {
    expect(await run(args)).toEqual({
      code: 64,
      out: '',
      err: `fleet-mesh: ${message}\nList the commands with: ${list}\n`,
    });
  });

  test.each([
    [['help', 'plan', 'done'], 'Usage: fleet-mesh plan done '],
    [['plan', 'help', 'done'], 'Usage: fleet-mesh plan done '],
    [['help', 'status'], 'Usage: fleet-mesh status '],
    [['status', '-h'], 'Usage: fleet-mesh status '],
    [['help'], 'Usage: fleet-mesh [options] [command]'],
  ])('answers %j', async (args, begin) => {
    const { code, out } = await run(args);
    expect({ code, out: out.slice(0, begin.length) }).toEqual({ code: 0, out: begin });
  });
});
