import { appendFileSync, readFileSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { chainEntry, hashLine } from '../../../../src/retirement/evidence/entry.ts';
import { verifyLog } from '../../../../src/retirement/evidence/verify.ts';
import { linesOf, writeLog } from '../../../support/fakes/evidence-story.ts';
import { tempDir } from '../../../support/machine/temp-dir.ts';

const FROM = Date.parse('2026-07-20T10:00:00Z');
let directory: string;
let current: string;
let texts: string[];

beforeEach(() => {
  const dir = tempDir('verify');
  onTestFinished(() => dir[Symbol.dispose]());
  directory = dir.path;
  current = join(directory, 'events.jsonl');
  texts = writeLog(directory, linesOf({ from: FROM, until: FROM + 180_000 }));
});

describe(verifyLog, () => {
  it('finds all entries when the file is rotated before it is opened', async () => {
    const rotated = join(directory, 'events-000000000001.jsonl');
    let begun = 0;
    // As the daemon does: for a moment there is no current file.
    const begin = () => {
      if (++begun === 1) renameSync(current, rotated);
      if (begun === 2) writeFileSync(current, '');
      return {};
    };
    expect(await verifyLog(directory, begin)).toMatchObject({ entries: texts.length, problems: [] });
    expect(begun).toBe(3);
  });

  it('rejects a current file that is a link to nowhere', async () => {
    rmSync(current);
    symlinkSync('nowhere', current);
    await expect(verifyLog(directory)).rejects.toThrow('ENOENT');
  });

  it('finds no damage when a new daemon cuts off a torn line during the look', async () => {
    const size = readFileSync(current).length;
    const [last = ''] = texts.slice(-1);
    // Longer than a look reads at once.
    appendFileSync(current, `{"seq":1000000,"fill":"${'x'.repeat(1_000_000)}`);
    const next = { at: new Date(FROM), uptimeMs: 1, event: 'test.happened', fill: 'y'.repeat(1_000_000) };
    let cut = false;
    const entry = () => {
      if (cut) return;
      cut = true;
      truncateSync(current, size);
      appendFileSync(current, `${JSON.stringify(chainEntry(next, texts.length + 1, hashLine(last)))}\n`);
    };
    expect(await verifyLog(directory, () => ({ entry }))).toMatchObject({ entries: texts.length + 1, problems: [] });
  });

  it('names damage that is there for good, once', async () => {
    writeFileSync(current, `${texts.toSpliced(3, 1).join('\n')}\n`);
    let begun = 0;
    const begin = () => {
      begun++;
      return {};
    };
    expect((await verifyLog(directory, begin)).problems).toMatchObject([{ line: 4 }]);
    expect(begun).toBe(2);
  });
});
