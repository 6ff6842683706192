import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Entry, NewEntry } from '../../../../src/retirement/evidence/entry.ts';
import { EventLog, type LogCondition } from '../../../../src/retirement/evidence/event-log.ts';
import { verifyLog } from '../../../../src/retirement/evidence/verify.ts';
import { type TempDir, tempDir } from '../../../support/machine/temp-dir.ts';

let directory: TempDir;
beforeEach(() => {
  directory = tempDir('evidence');
});
afterEach(() => directory[Symbol.dispose]());

const START = Date.parse('2026-07-20T10:00:00Z');

function entry(n: number, fields: Record<string, unknown> = {}): NewEntry {
  return { at: new Date(START + n * 1_000), uptimeMs: n * 1_000, event: 'test.happened', n, ...fields };
}

/** On a busy machine a flush takes seconds, and would then be told in an entry of its own: only a test of that is so strict. */
const NEVER_SLOW_MS = 600_000;

async function openLog(rotateBytes = 1_000_000, claim = async () => {}, slowMs = NEVER_SLOW_MS, lookMs = 3_600_000) {
  const entries: Entry[] = [];
  const conditions: LogCondition[] = [];
  const { log, recovery } = await EventLog.open(
    {
      directory: directory.path,
      rotateBytes,
      lookMs,
      rememberMs: Date.now() - START + 86_400_000,
      retryMs: 5,
      slowMs,
      uptimeMs: () => performance.now(),
      claim,
    },
    {
      onFound: (found) => entries.push(found),
      onWritten: () => {},
      onCondition: (condition) => conditions.push(condition),
    },
  );
  return { log, recovery, entries, conditions };
}

async function write(count: number, rotateBytes?: number, from = 1): Promise<void> {
  const { log } = await openLog(rotateBytes);
  for (let n = from; n < from + count; n++) await log.append(entry(n), true);
  await log.close();
}

const current = () => join(directory.path, 'events.jsonl');
const lines = () => readFileSync(current(), 'utf8').trimEnd().split('\n');
const rewrite = (changed: readonly string[]) => writeFileSync(current(), changed.map((line) => `${line}\n`).join(''));
const problems = async () =>
  (await verifyLog(directory.path)).problems.map(({ file, line, message }) => `${file}:${line} ${message}`);

describe(EventLog, () => {
  it('reads the log after a restart, and continues the chain', async () => {
    await write(3);
    const { log, entries, recovery } = await openLog();
    await log.append(entry(4), true);
    await log.close();
    expect(entries.map(({ seq, n }) => [seq, n])).toEqual([
      [1, 1],
      [2, 2],
      [3, 3],
    ]);
    expect(recovery).toEqual({ tornBytes: 0, problems: [], headLost: false });
    expect(await verifyLog(directory.path)).toMatchObject({ entries: 4, problems: [], head: { seq: 4 } });
  });

  it('creates files that only the owner can read', async () => {
    await write(1);
    for (const name of readdirSync(directory.path))
      expect(statSync(join(directory.path, name)).mode & 0o777).toBe(0o600);
  });

  it('writes a batch of entries in order', async () => {
    const { log } = await openLog();
    await Promise.all(Array.from({ length: 500 }, (_, n) => log.append(entry(n), n % 7 === 0)));
    await log.close();
    expect(lines().map((line) => JSON.parse(line).n)).toEqual(Array.from({ length: 500 }, (_, n) => n));
    expect(await problems()).toEqual([]);
  });

  it('writes waiting entries before it closes', async () => {
    const { log } = await openLog();
    void log.append(entry(1), false);
    void log.append(entry(2), true);
    await log.close();
    expect(lines()).toHaveLength(2);
  });

  it('continues the chain across files', async () => {
    await write(20, 500);
    await write(20, 500, 21);
    const files = readdirSync(directory.path).filter((name) => /^events-\d+\.jsonl$/.test(name));
    expect(files.length).toBeGreaterThan(5);
    const { entries } = await openLog();
    expect(entries.map(({ seq }) => seq)).toEqual(Array.from({ length: 40 }, (_, n) => n + 1));
    expect(await problems()).toEqual([]);
  });

  it('recovers from a crash between rotating a file and starting the next', async () => {
    await write(5);
    renameSync(current(), join(directory.path, 'events-000000000001.jsonl'));
    await write(2, undefined, 6);
    expect(await verifyLog(directory.path)).toMatchObject({ entries: 7, problems: [] });
  });

  it.each([1, 10, 60])('removes an incomplete last line of %d bytes, and reports that', async (bytes) => {
    await write(3);
    appendFileSync(current(), lines().join('').slice(0, bytes));
    const { log, recovery } = await openLog();
    await log.append(entry(4), true);
    await log.close();
    expect(recovery).toEqual({ tornBytes: bytes, problems: [], headLost: false });
    expect(await verifyLog(directory.path)).toMatchObject({ entries: 4, problems: [] });
  });

  it('survives a cut at any byte of unflushed data, without a problem', async () => {
    await write(2);
    const { log } = await openLog();
    await log.append(entry(3), false);
    await log.append(entry(4), false);
    await log.close();
    const whole = readFileSync(current());
    const flushed = lines().slice(0, 2).join('\n').length + 1;
    for (let size = flushed; size < whole.length; size += 7) {
      writeFileSync(current(), whole.subarray(0, size));
      const opened = await openLog();
      await opened.log.close();
      expect(opened.recovery.problems).toEqual([]);
      expect(opened.entries.length).toBeGreaterThanOrEqual(2);
    }
  });
});

describe('verifyLog', () => {
  beforeEach(() => write(6));

  it('locates a changed entry', async () => {
    rewrite(lines().map((line, index) => (index === 2 ? line.replace('"n":3', '"n":9') : line)));
    expect(await problems()).toEqual([
      'events.jsonl:3 was changed after it was written: the next entry has another hash',
    ]);
  });

  it('locates a changed last entry', async () => {
    rewrite(lines().map((line, index) => (index === 5 ? line.replace('"n":6', '"n":9') : line)));
    expect(await problems()).toEqual(['events.jsonl:6 was changed after it was written']);
  });

  it('locates a changed first entry', async () => {
    rewrite(lines().map((line, index) => (index === 0 ? line.replace('"n":1', '"n":9') : line)));
    expect(await problems()).toEqual([
      'events.jsonl:1 was changed after it was written: the next entry has another hash',
    ]);
  });

  it('locates an entry deleted in the middle', async () => {
    rewrite(lines().toSpliced(2, 1));
    expect(await problems()).toEqual(['events.jsonl:3 follows a gap: 1 entry missing']);
  });

  it('reports deleted first entries', async () => {
    rewrite(lines().slice(2));
    expect(await problems()).toEqual(['events.jsonl:1 follows a gap: 2 entries missing']);
  });

  it('reports deleted last entries', async () => {
    rewrite(lines().slice(0, 4));
    expect(await problems()).toEqual(['events.jsonl:4 is the last line, but 2 later entries had been written']);
  });

  it('reports a deleted log', async () => {
    truncateSync(current(), 0);
    expect(await problems()).toEqual(['events.jsonl:0 is the last line, but 6 later entries had been written']);
  });

  it('reports two exchanged entries', async () => {
    const [a, b, c, d, e, f] = lines() as [string, string, string, string, string, string];
    rewrite([a, b, d, c, e, f]);
    expect((await problems())[0]).toMatch(/^events.jsonl:3 follows a gap/);
  });

  it('locates an entry that is cut short', async () => {
    rewrite(lines().map((line, index) => (index === 3 ? line.slice(0, 40) : line)));
    expect((await problems())[0]).toBe('events.jsonl:4 is cut short or damaged: not a valid entry');
  });

  it('reports a lost end even after the daemon has continued the log', async () => {
    rewrite(lines().slice(0, 4));
    const { log, recovery } = await openLog();
    await log.append(entry(7), true);
    await log.close();
    expect(recovery.problems).toHaveLength(1);
    expect(await problems()).toEqual(['events.jsonl:5 follows a gap: 2 entries missing']);
  });
});

describe('EventLog, while writing fails', () => {
  /** A log whose file was moved away, in a directory that this process cannot claim until `heal` is called. */
  async function broken(rotateBytes?: number) {
    let claim = () => Promise.reject(new Error('the directory is not there'));
    const opened = await openLog(rotateBytes, () => claim());
    await opened.log.append(entry(1), true);
    renameSync(current(), join(directory.path, 'moved'));
    const heal = () => {
      claim = async () => Promise.resolve() as never;
    };
    return { ...opened, heal };
  }

  it('loses no waiting entry, and records the failure in the log', async () => {
    const { log, conditions, heal } = await broken();
    const written = log.append(entry(2), true);
    await expect.poll(() => conditions.length).toBeGreaterThan(1);
    expect(log.condition).toMatchObject({
      kind: 'failing',
      waiting: 1,
      error: { message: 'the directory is not there' },
    });
    heal();
    await written;
    await expect.poll(() => log.condition).toEqual({ kind: 'ok' });
    await log.close();
    expect(lines().map((line) => JSON.parse(line).event)).toEqual(['log.seam', 'test.happened', 'log.resumed']);
  });

  it('closes in spite of the failure', async () => {
    const { log, conditions } = await broken();
    void log.append(entry(1), true);
    await expect.poll(() => conditions.length).toBeGreaterThan(0);
    await log.close();
  });

  it('drops routine entries first when too many entries wait', async () => {
    // One file, because the last entry may come in a separate write.
    const { log, heal } = await broken(100_000_000);
    for (let n = 0; n < 10_050; n++) void log.append(entry(n), n % 2 === 0);
    await expect.poll(() => log.condition.kind).toBe('failing');
    heal();
    await log.append(entry(99_999), true);
    await log.close();
    const kept = lines().map((line) => JSON.parse(line));
    const durable = kept.filter(({ n }) => n % 2 === 0);
    expect(durable.length).toBeGreaterThanOrEqual(5_025);
    const resumed = kept.filter(({ event }) => event === 'log.resumed');
    expect(resumed).toMatchObject([{ dropped: 10_051 - (kept.length - 2) }]);
  });

  it('counts a disk that does not answer as failing, until it answers', async () => {
    let answer = () => {};
    const hangs = () => new Promise<void>((resolve) => (answer = resolve));
    const { log, conditions } = await openLog(undefined, hangs, 20);
    renameSync(current(), join(directory.path, 'moved'));
    void log.check();
    await expect
      // On a busy machine, a disk that works may seem slow before.
      .poll(() => conditions.map((each) => each.kind === 'failing' && each.error.message).slice(-2))
      .toEqual(['events.jsonl was moved or removed', 'the disk does not answer']);
    answer();
    await expect.poll(() => log.condition.kind).toBe('ok');
    await log.close();
  });
});

describe('EventLog, when somebody else touches the file', () => {
  it('notices a change that hides its time, at the next look at all lines', async () => {
    const { log, conditions } = await openLog(undefined, undefined, undefined, 50);
    for (const n of [1, 2, 3]) await log.append(entry(n), true);
    const time = join(directory.path, 'time');
    writeFileSync(time, '');
    execFileSync('touch', ['-r', current(), time]);
    rewrite(lines().map((line) => line.replace('"n":2', '"n":9')));
    execFileSync('touch', ['-r', time, current()]);
    await expect
      .poll(async () => {
        await log.check();
        return conditions.map((each) => each.kind === 'failing' && each.error.message);
      })
      .toContain('another process changed events.jsonl');
    await log.close();
    expect(await problems()).not.toEqual([]);
  });

  const moved = () => join(directory.path, 'moved');
  const BREAKS: [string, () => void, string][] = [
    ['moves', () => renameSync(current(), moved()), 'events.jsonl was moved or removed'],
    ['removes', () => rmSync(current()), 'events.jsonl was moved or removed'],
    ['cuts', () => truncateSync(current(), 10), 'events.jsonl was cut short'],
    ['empties', () => truncateSync(current(), 0), 'events.jsonl was cut short'],
    ['replaces', () => rewriteAs(readFileSync(current())), 'events.jsonl was replaced by another file'],
    ['appends to', () => appendFileSync(current(), 'x'), 'another process wrote to events.jsonl'],
    [
      'changes, with the same size,',
      () => rewrite(lines().map((line) => line.replace('"n":2', '"n":9'))),
      'another process changed events.jsonl',
    ],
    [
      'puts a FIFO in the place of',
      () => {
        rmSync(current());
        execFileSync('mkfifo', [current()]);
      },
      'events.jsonl was replaced by another file',
    ],
  ];
  const rewriteAs = (content: Buffer) => {
    rmSync(current());
    // Another file gets the inode at once otherwise.
    writeFileSync(moved(), '');
    writeFileSync(current(), content);
  };

  const isFifo = () => readdirSync(directory.path).some((name) => name.startsWith('events.jsonl.aside-'));

  it.each(BREAKS)('goes on in a new file with a seam after somebody %s the file', async (_, act, reason) => {
    const { log, conditions } = await openLog();
    await log.append(entry(1), true);
    const { seq, hash } = await log.append(entry(2), true).then(() => log.head);
    act();
    await log.check();
    expect(log.condition).toMatchObject({ kind: 'failing', error: { message: reason } });
    await expect.poll(() => log.condition.kind).toBe('ok');
    await log.append(entry(3), true);
    await log.close();
    expect(conditions.map(({ kind }) => kind)).toEqual(['failing', 'ok']);
    const kept = lines().map((line) => JSON.parse(line));
    expect(kept.map(({ event }) => event)).toEqual(['log.seam', 'log.resumed', 'test.happened']);
    expect(kept[0]).toMatchObject({ seq: seq + 1, prev: hash, reason, after: { seq, hash } });
    // A reader sees the damage; nothing that was found is overwritten. A copy of the same lines is no damage.
    expect((await problems()).length > 0).toBe(reason !== 'events.jsonl was replaced by another file' || isFifo());
  });

  it('verifies again when the moved file returns under the name of a rotated file', async () => {
    const { log } = await openLog();
    await log.append(entry(1), true);
    renameSync(current(), moved());
    await log.check();
    await expect.poll(() => log.condition.kind).toBe('ok');
    await log.close();
    renameSync(moved(), join(directory.path, 'events-000000000001.jsonl'));
    expect(await verifyLog(directory.path)).toMatchObject({ entries: 3, problems: [] });
  });

  it('does not mind a new time of change while the lines are as they were', async () => {
    const { log, conditions } = await openLog();
    await log.append(entry(1), true);
    utimesSync(current(), 1, 1);
    await log.check();
    await log.append(entry(2), true);
    await log.close();
    expect(conditions).toEqual([]);
    expect(await problems()).toEqual([]);
  });
});

describe('EventLog, over files that are not a log', () => {
  it.each([
    ['a FIFO', () => execFileSync('mkfifo', [current()])],
    ['a directory', () => mkdirSync(current())],
  ])('refuses %s at once', async (_, make) => {
    make();
    await expect(openLog()).rejects.toThrow(/not a regular file|EISDIR/);
  });

  it('reads a line of 64 MiB in bounded memory, and loses none of its bytes', async () => {
    const line = Buffer.alloc(64 * 1024 * 1024, 'x');
    writeFileSync(current(), Buffer.concat([line, Buffer.from('\n{"seq":')]));
    const { log, recovery } = await openLog();
    await log.close();
    expect(recovery).toMatchObject({
      tornBytes: 7,
      problems: [{ message: expect.stringContaining('not a valid entry') }],
    });
    expect(statSync(current()).size).toBe(line.length + 1);
  });

  it('lists a bounded number of problems', async () => {
    writeFileSync(current(), '\n'.repeat(50_000));
    expect(await problems()).toHaveLength(1_001);
  });
});
