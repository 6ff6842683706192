import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, fstatSync, mkdtempSync, openSync, readFileSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { afterAll, beforeAll, expect, test } from 'vitest';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'fleet-mesh-log-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

/** A child that logs `lines` lines to `stderr`. Waits for a line on stdout, so a sink that blocks forever times out. */
function start(lines: number, stderr: 'pipe' | number, env: Record<string, string> = {}) {
  const child = spawn(process.execPath, ['--import', 'tsx', 'tests/support/daemon/log-child.ts', String(lines)], {
    stdio: ['pipe', 'pipe', stderr],
    env: { ...process.env, ...env },
  });
  return { child, word: () => once(child.stdout as Readable, 'data').then(String) };
}

async function finish(child: ChildProcess): Promise<number | null> {
  const exit = once(child, 'exit');
  child.stdin?.end();
  const [code] = await exit;
  return code;
}

interface Line {
  event: string;
  lines?: number;
}

function parse(text: string): Line[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line);
}

const COUNT = 3_000;

function expectComplete(lines: Line[]) {
  const loads = lines.filter(({ event }) => event === 'load').length;
  const dropped = lines
    .filter(({ event }) => event === 'log.dropped')
    .reduce((sum, line) => sum + (line.lines ?? 0), 0);
  expect(dropped).toBeGreaterThan(0);
  expect(loads + dropped).toBe(COUNT);
  expect(lines.filter(({ event }) => event === 'after')).toHaveLength(1);
}

test('drops and counts lines, and never blocks, if the reader of a socket stalls (as journald may)', async () => {
  const { child, word } = start(COUNT, 'pipe');
  expect(await word()).toContain('survived');
  let text = '';
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  while (!text.includes('log.dropped')) await once(child.stderr as Readable, 'data');
  child.stdin?.write('go');
  await word();
  expect(await finish(child)).toBe(0);
  expectComplete(parse(text));
});

test('drops and counts lines, and never blocks, if the reader of a pipe stalls', async () => {
  const path = join(directory, 'fifo');
  spawnSync('mkfifo', [path]);
  const reader = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  const writer = openSync(path, constants.O_WRONLY);
  const { child, word } = start(COUNT, writer);
  expect(await word()).toContain('survived');
  let text = '';
  const drain = () => {
    const buffer = Buffer.alloc(65_536);
    try {
      for (;;) text += buffer.toString('utf8', 0, readSync(reader, buffer));
    } catch {
      // EAGAIN: empty for now.
    }
  };
  while (!text.includes('log.dropped')) {
    drain();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  child.stdin?.write('go');
  await word();
  expect(await finish(child)).toBe(0);
  drain();
  closeSync(reader);
  closeSync(writer);
  expectComplete(parse(text));
});

test('survives the end of the reader', async () => {
  const { child, word } = start(0, 'pipe');
  await word();
  child.stderr?.destroy();
  for (let round = 0; round < 3; round += 1) {
    child.stdin?.write('go');
    expect(await word()).toContain('answered');
  }
  expect(await finish(child)).toBe(0);
});

test.each([
  ['the journal', true],
  ['inherited from another process', false],
])('sets the priority prefix by JOURNAL_STREAM: %s', async (_case, own) => {
  const path = join(directory, `journal-${own}`);
  const file = openSync(path, 'w');
  const { dev, ino } = fstatSync(file, { bigint: true });
  const { child, word } = start(1, file, { JOURNAL_STREAM: own ? `${dev}:${ino}` : `${dev}:${ino + 1n}` });
  await word();
  child.stdin?.write('go');
  await word();
  await finish(child);
  closeSync(file);
  const prefixes = readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => line.slice(0, 3));
  expect(prefixes).toEqual(own ? ['<6>', '<4>'] : ['{"l', '{"l']);
});
