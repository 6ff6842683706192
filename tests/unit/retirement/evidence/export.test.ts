import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { exportEvents } from '../../../../src/operator/commands/export-events.ts';
import { EventLog } from '../../../../src/retirement/evidence/event-log.ts';
import { exportLog, manifest } from '../../../../src/retirement/evidence/export.ts';
import { verifyLog } from '../../../../src/retirement/evidence/verify.ts';
import { linesOf, writeLog } from '../../../support/fakes/evidence-story.ts';
import { has } from '../../../support/machine/capabilities.ts';
import { tempDir } from '../../../support/machine/temp-dir.ts';

const NOW = new Date('2026-07-21T10:00:00Z');
const FROM = Date.parse('2026-07-20T10:00:00Z');
let directory: string;
let out: string;
let texts: string[];

beforeEach(() => {
  const dir = tempDir('export');
  onTestFinished(() => dir[Symbol.dispose]());
  directory = join(dir.path, 'state');
  out = join(dir.path, 'out');
  mkdirSync(directory);
  texts = writeLog(directory, linesOf({ from: FROM, until: FROM + 180_000 }));
});

const exported = (where = out) => exportLog({ directory, out: where, version: '0.1.0', now: NOW });
/** A daemon's log whose files are small. */
const openLog = (where: string) =>
  EventLog.open(
    {
      directory: where,
      rotateBytes: 2_000,
      lookMs: 3_600_000,
      rememberMs: 1_000,
      retryMs: 5,
      slowMs: 60_000,
      uptimeMs: () => performance.now(),
      claim: async () => {},
    },
    { onFound: () => {}, onWritten: () => {}, onCondition: () => {} },
  );
const inOut = (name: string) => join(out, name);

describe(exportLog, () => {
  it('files all lines, the heads and what checks them, for others to read', async () => {
    const found = await exported();
    const names = ['README.md', 'SHA256SUMS', 'events.head', 'events.jsonl', 'manifest.json', 'verify.sh'];
    expect(readdirSync(out).toSorted()).toEqual(names);
    expect(readFileSync(inOut('events.jsonl'))).toEqual(readFileSync(join(directory, 'events.jsonl')));
    expect(manifest.parse(JSON.parse(readFileSync(inOut('manifest.json'), 'utf8')))).toEqual(found);
    const seq = texts.length;
    expect(found).toMatchObject({
      nodes: ['railiance01'],
      entries: seq,
      problems: [],
      known_head: { seq },
      last: { seq },
    });
    expect(statSync(inOut('verify.sh')).mode & 0o777).toBe(0o755);
  });

  it('joins the rotated files, and leaves out a line that is being written', async () => {
    writeFileSync(join(directory, 'events-000000000001.jsonl'), `${texts.slice(0, 5).join('\n')}\n`);
    writeFileSync(join(directory, 'events.jsonl'), `${texts.slice(5).join('\n')}\n{"seq":`);
    expect(await exported()).toMatchObject({ entries: texts.length, problems: [] });
    expect(readFileSync(inOut('events.jsonl'), 'utf8')).toBe(`${texts.join('\n')}\n`);
  });

  it('never overwrites, and leaves nothing behind after a failure', async () => {
    mkdirSync(out);
    await expect(exported()).rejects.toThrow('EEXIST');
    rmSync(join(directory, 'events.jsonl'));
    execFileSync('mkfifo', [join(directory, 'events.jsonl')]);
    await expect(exported(inOut('new'))).rejects.toThrow('not a regular file');
    expect(readdirSync(out)).toEqual([]);
  });

  it('refuses a log without an entry', async () => {
    rmSync(join(directory, 'events.head'));
    writeFileSync(join(directory, 'events.jsonl'), '');
    await expect(exported()).rejects.toThrow(`the log in ${directory} has no entries yet`);
    expect(existsSync(out)).toBe(false);
  });

  it('files a whole log while the daemon appends to it and rotates it', async () => {
    const { log } = await openLog(directory);
    let over = false;
    const writing = (async () => {
      for (let n = 0; !over; n++) await log.append({ at: NOW, uptimeMs: n, event: 'test.happened', n }, true);
    })();
    const found: (readonly [number, readonly unknown[]])[] = [];
    for (let n = 0; n < 8; n++) {
      const where = join(directory, '..', String(n));
      const { entries, problems } = await exported(where);
      const copy = await verifyLog(where);
      found.push([entries, problems], [copy.entries, copy.problems]);
    }
    over = true;
    await writing;
    await log.close();
    expect(readdirSync(directory).length).toBeGreaterThan(3);
    const counts = found.map(([entries]) => entries);
    expect(found.filter(([, problems]) => problems.length > 0)).toEqual([]);
    expect(counts).toEqual(counts.toSorted((a, b) => a - b));
    expect(counts.filter((_, index) => index % 2 === 0)).toEqual(counts.filter((_, index) => index % 2 === 1));
  });

  it('refuses a directory without a log', async () => {
    mkdirSync(inOut(''), { recursive: true });
    const empty = exportLog({ directory: out, out: inOut('new'), version: '0.1.0', now: NOW });
    await expect(empty).rejects.toThrow('no log files');
    expect(readdirSync(out)).toEqual([]);
  });
});

describe.skipIf(!has('jq'))('an export, checked with sha256sum and jq', () => {
  /** As a third person does it. */
  const verify = () => spawnSync('sh', [inOut('verify.sh')], { encoding: 'utf8' });
  /** Makes the sums right again, as a forger would. */
  const forgeSums = () => {
    const names = readdirSync(out).filter((name) => name !== 'SHA256SUMS');
    writeFileSync(inOut('SHA256SUMS'), execFileSync('sha256sum', names, { cwd: out }));
  };
  const change = (edit: (lines: string[]) => string[]) => {
    const lines = readFileSync(inOut('events.jsonl'), 'utf8').trimEnd().split('\n');
    writeFileSync(inOut('events.jsonl'), `${edit(lines).join('\n')}\n`);
  };
  const altered = (line = '') => line.replace('"uptime_ms":', '"uptime_ms":1');

  it('is intact as it was filed', async () => {
    const { last } = await exported();
    expect(verify()).toMatchObject({
      status: 0,
      stdout: `intact: ${texts.length} lines; the last one has the SHA-256 ${last?.sha256}\n`,
      stderr: '',
    });
  });

  it('is not intact after a change of a file', async () => {
    await exported();
    change((lines) => lines.toSpliced(3, 1));
    expect(verify()).toMatchObject({ status: 1, stdout: expect.stringContaining('events.jsonl: FAILED') });
  });

  it.each<[string, (lines: string[]) => string[], string]>([
    ['a changed line', (lines) => lines.with(4, altered(lines[4])), 'line 6: '],
    ['a missing line', (lines) => lines.toSpliced(3, 1), 'line 4: '],
    ['a missing first line', (lines) => lines.slice(1), 'line 1: '],
    ['missing last lines', (lines) => lines.slice(0, -2), 'the last line is not the one in manifest.json'],
    [
      'a changed last line',
      (lines) => lines.with(-1, altered(lines.at(-1))),
      'not the line that the daemon had written',
    ],
  ])('shows %s behind forged sums, and names the place', async (_, edit, place) => {
    await exported();
    change(edit);
    forgeSums();
    expect(verify()).toMatchObject({ status: 1, stdout: '', stderr: expect.stringContaining(place) });
  });

  it('shows a changed line although the later lines were forged to fit', async () => {
    const story = linesOf({ from: FROM, until: FROM + 180_000 });
    const before = readFileSync(join(directory, 'events.head'));
    writeLog(directory, [...story.slice(0, -1), { ...story.at(-1), forged: 1 }, ...story.slice(-1)] as typeof story);
    writeFileSync(join(directory, 'events.head'), before);
    const { problems } = await exported();
    expect(problems).toMatchObject([{ line: texts.length, message: 'was changed after it was written' }]);
    expect(verify()).toMatchObject({
      status: 1,
      stderr: expect.stringContaining(`line ${texts.length}: not the line`),
    });
  });

  it('names a line that is no entry', async () => {
    await exported();
    change((lines) => lines.with(2, '{"seq":3'));
    forgeSums();
    expect(verify()).toMatchObject({ status: 1, stderr: expect.stringContaining('line 3: not an entry') });
  });

  it('shows that all entries are missing', async () => {
    writeFileSync(join(directory, 'events.jsonl'), '');
    expect((await exported()).problems).toHaveLength(1);
    expect(verify()).toMatchObject({ status: 1, stderr: expect.stringContaining(`up to entry ${texts.length}`) });
  });

  it('says that the end is not proved without the known head', async () => {
    rmSync(join(directory, 'events.head'));
    expect(await exported()).toMatchObject({ known_head: null, problems: [] });
    expect(verify()).toMatchObject({ status: 0, stderr: expect.stringContaining('events.head was missing') });
  });

  it('shows that entries are missing at the end of the log itself', async () => {
    writeFileSync(join(directory, 'events.jsonl'), `${texts.slice(0, -3).join('\n')}\n`);
    expect((await exported()).problems).toHaveLength(1);
    expect(verify()).toMatchObject({ status: 1, stderr: expect.stringContaining(`up to entry ${texts.length}`) });
  });

  it('passes the loop that the documentation shows, and fails it after a change', async () => {
    await exported();
    const page = readFileSync(new URL('../../../../docs/evidence.md', import.meta.url), 'utf8');
    const [, loop = ''] = /The script is short:\n\n```sh\n([^`]*)```/.exec(page) ?? [];
    const run = () => spawnSync('sh', ['-c', loop], { cwd: out, encoding: 'utf8' });
    expect(loop).toContain('sha256sum');
    expect(run()).toMatchObject({ status: 0, stderr: '' });
    change((lines) => lines.toSpliced(3, 1));
    expect(run()).toMatchObject({ status: 1 });
  });

  it('lets a person check one line by hand, as its README shows', async () => {
    await exported();
    const readme = readFileSync(inOut('README.md'), 'utf8');
    const [, commands = ''] = /here the line before line 7:\n\n```sh\n([^`]*)```/.exec(readme) ?? [];
    const [sum = '', prev] = execFileSync('sh', ['-c', commands], { cwd: out, encoding: 'utf8' }).trim().split('\n');
    expect(sum.split(' ')[0]).toBe(prev);
  });
});

describe(exportEvents, () => {
  const run = async (json = false) => {
    const said = { out: '', err: '' };
    const io = {
      out: (text: string) => {
        said.out += text;
      },
      err: (text: string) => {
        said.err += text;
      },
      env: {},
      version: '0.1.0',
      now: NOW,
    };
    return { code: await exportEvents({ config: 'none.yaml', dir: directory, out, json }, io), ...said };
  };

  it('says where the proof is and how to check it', async () => {
    const { code, out: printed } = await run();
    expect([code, printed]).toEqual([0, expect.stringContaining(`check with: sh ${inOut('verify.sh')}`)]);
  });

  it('files a damaged log, too, and says that it is damaged', async () => {
    writeFileSync(join(directory, 'events.jsonl'), `${texts.toSpliced(3, 1).join('\n')}\n`);
    const { code, out: printed } = await run();
    expect([code, printed]).toEqual([
      1,
      expect.stringMatching(/:4 follows a gap: 1 entry missing\nthe log is not intact/),
    ]);
  });

  it('says why nothing was filed', async () => {
    mkdirSync(out);
    expect(await run()).toMatchObject({ code: 2, err: expect.stringContaining('EEXIST') });
    const { code, out: printed } = await run(true);
    const error = expect.objectContaining({ message: expect.stringContaining('EEXIST') });
    expect([code, JSON.parse(printed)]).toEqual([2, { ok: null, error }]);
  });
});
