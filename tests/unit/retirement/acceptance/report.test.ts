import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { acceptance } from '../../../../src/operator/commands/acceptance.ts';
import { placedOn } from '../../../../src/retirement/acceptance/plan-facts.ts';
import { acceptanceReport } from '../../../../src/retirement/acceptance/report.ts';
import { hashLine } from '../../../../src/retirement/evidence/entry.ts';
import { linesOf, type Story, writeLog } from '../../../support/fakes/evidence-story.ts';
import { stateDirIn, writeFleetConfig } from '../../../support/fakes/fleet-config.ts';
import { type TempDir, tempDir } from '../../../support/machine/temp-dir.ts';

const HOUR = 3_600_000;
const UNTIL = Date.parse('2026-07-21T10:00:00Z');
const FROM = UNTIL - 24 * HOUR;
const NOW = new Date(UNTIL + 20_000);

let directory: TempDir;
let config: string;
let state: string;
beforeEach(() => {
  directory = tempDir('acceptance');
  const key = join(directory.path, 'key');
  writeFileSync(key, 'never read', { mode: 0o600 });
  const endpointPort = 9780;
  state = stateDirIn(directory.path, endpointPort);
  mkdirSync(state, { recursive: true });
  config = writeFleetConfig(directory.path, {
    endpointPort,
    host: { port: 22, user: 'tegwick', known_hosts: key },
    actor: { key },
    tunnels: { hub: { listen: '127.0.0.1:18000', target: '10.43.170.94:8000', production: true } },
    hosts: { workstation: { address: 'bnt-lap001', role: 'workstation' } },
  });
});
afterEach(() => directory[Symbol.dispose]());

const log = (story: Partial<Story> = {}) => writeLog(state, linesOf({ from: FROM - HOUR, until: UNTIL, ...story }));
async function run(options: Partial<Parameters<typeof acceptance>[0]> = {}, now = NOW) {
  const out: string[] = [];
  const err: string[] = [];
  const io = {
    out: (text: string) => void out.push(text),
    err: (text: string) => void err.push(text),
    env: { HOME: directory.path },
    version: '0.1.0',
    now,
  };
  const code = await acceptance({ config, window: '24h', offline: 'workstation', json: false, ...options }, io);
  return { code, out: out.join(''), err: err.join('') };
}

/** Rows of the table under a heading, by their first cell. The heading '' is the part before the first heading. */
function tableUnder(markdown: string, heading: string): Map<string, string[]> {
  const section = markdown.split(/^#+ /m).find((part) => part.startsWith(heading)) ?? '';
  const rows = section.split('\n').filter((line) => line.startsWith('| '));
  return new Map(
    rows.slice(2).map((row) => {
      const [name = '', ...cells] = row.slice(2, -2).split(' | ');
      return [name, cells];
    }),
  );
}

describe('fleet-mesh acceptance', () => {
  it('prints a document with the proof and its evidence', async () => {
    const lines = log();
    const { code, out } = await run();
    expect([code, out.split('\n')[0]]).toEqual([0, '# Acceptance: railiance01 without workstation']);
    expect(out).toContain('**PASS**: for 24h every production tunnel served without a break');
    expect(Object.fromEntries(tableUnder(out, 'Acceptance'))).toMatchObject({
      node: ['railiance01'],
      away: ['workstation'],
      window: ['2026-07-20T10:00:00.000Z to 2026-07-21T10:00:00.000Z (24h)'],
      evidence: [`entry ${lines.length}, SHA-256 ${hashLine(lines.at(-1) ?? '')}`],
      'judged by': ['fleet-mesh 0.1.0'],
      'watched by': ['fleet-mesh 0.1.0'],
      plan: ['none'],
    });
    expect(tableUnder(out, 'Production tunnels').get('hub')).toEqual([
      'coulombcore',
      '10.43.170.94:8000',
      '100 %',
      '0',
      'none',
      'never',
    ]);
    expect(Object.fromEntries(tableUnder(out, 'workstation'))).toEqual({
      'unreachable throughout': ['yes'],
      'checked at': ['bnt-lap001:22'],
      looks: ['2881, never more than 30s apart'],
      found: ['connect_timeout'],
      'last reachable before': ['never, as far as the evidence goes back'],
    });
    expect([...tableUnder(out, 'Configuration in force').values()]).toEqual([
      ['2026-07-21T10:00:00.000Z', 'c'.repeat(64)],
    ]);
  });

  it('names each reason with its times, and never rounds up to 100 %', async () => {
    log({
      outages: [{ from: FROM + 5_000, until: FROM + 5_020 }],
      seen: [{ from: FROM + HOUR, until: FROM + HOUR + 1 }],
    });
    const { code, out } = await run();
    expect([code, out.includes('**FAIL**')]).toEqual([1, true]);
    expect(out).toContain(
      '- outage: hub did not serve for 20 ms (from 2026-07-20T10:00:05.000Z to 2026-07-20T10:00:05.020Z)',
    );
    expect(out).toContain('- host_seen: workstation was reachable at bnt-lap001:22');
    expect(tableUnder(out, 'Production tunnels').get('hub')?.[2]).toBe('99.9999 %');
  });

  it('escapes markup from other machines', async () => {
    const reason = 'the host accepted a connection: "SSH-2.0-x | <b>**PASS**</b>\n# PASS"';
    const sighting = { host: 'workstation', address: 'bnt-lap001:22', from: null, code: null, reason };
    log({ extra: [{ at: FROM + HOUR, event: 'host.reachable', ...sighting }] });
    const { out } = await run();
    expect(out).toContain('"SSH-2.0-x \\| \\<b\\>\\*\\*PASS\\*\\*\\</b\\> # PASS"');
    expect(out).not.toMatch(/^# PASS/m);
  });

  it('prints the same report for the same evidence and time, even after more was recorded', async () => {
    log();
    const first = await run();
    log({ until: UNTIL + 2 * HOUR });
    const again = await run({ until: NOW.toISOString() }, new Date(UNTIL + 2 * HOUR));
    expect(again.out).toBe(first.out);
  });

  it('fails for a changed log, and names the place', async () => {
    const lines = log();
    const forged = lines.map((line, index) => (index === 40 ? line.replace('"up"', '"up" ') : line));
    writeFileSync(join(state, 'events.jsonl'), `${forged.join('\n')}\n`);
    const { code, out } = await run({ json: true });
    const { reasons } = acceptanceReport.parse(JSON.parse(out));
    expect(code).toBe(1);
    expect(reasons).toMatchObject([
      {
        code: 'evidence_damaged',
        message: expect.stringContaining('events.jsonl:41 was changed after it was written'),
      },
    ]);
  });

  it('files both formats, complete, and never overwrites a file', async () => {
    log();
    const out = directory.path;
    const { code, err, out: printed } = await run({ out });
    const [json = '', md = ''] = err.match(/\S+\.(json|md)$/gm) ?? [];
    expect([code, md]).toEqual([0, join(out, 'acceptance-railiance01-20260721T100020Z.md')]);
    expect(readFileSync(md, 'utf8')).toBe(printed);
    expect(acceptanceReport.parse(JSON.parse(readFileSync(json, 'utf8'))).verdict).toBe('PASS');
    const written = statSync(md).mtimeMs;
    const names = readdirSync(out);
    expect(await run({ out })).toMatchObject({ code: 2, err: expect.stringContaining('EEXIST') });
    expect([readdirSync(out), statSync(md).mtimeMs]).toEqual([names, written]);
    rmSync(json);
    expect((await run({ out })).code).toBe(2);
    expect(readdirSync(out)).toEqual(names.filter((name) => !name.endsWith('.json')));
  });

  it('explains a missing log, an unknown host and an invalid time', async () => {
    expect(await run()).toMatchObject({ code: 2, err: expect.stringContaining('no log files') });
    expect(await run({ dir: join(config, 'file') })).toMatchObject({
      code: 2,
      err: expect.stringContaining('ENOTDIR'),
    });
    expect(await run({ offline: 'workstatoin' })).toMatchObject({
      code: 4,
      err: expect.stringContaining('workstation'),
    });
    expect((await run({ window: '1 day' })).code).toBe(64);
    expect((await run({ until: '2027-01-01T00:00:00Z' })).code).toBe(64);
    expect((await run({ config: state })).code).toBe(78);
  });
});

it('finds workloads that move to the host, and workloads that are still on the host', () => {
  const row = { name: 'x', current: 'coulombcore', target: 'railiance01', status: 'planned' } as const;
  expect(
    placedOn(
      [
        { ...row, id: 1, current: 'none (workstation manual build)' },
        { ...row, id: 2, current: 'workstation WSL2', status: 'retired' },
        { ...row, id: 3, target: 'workstation WSL2' },
        { ...row, id: 4, target: 'railiance01, not the workstation', current: 'workstations' },
      ],
      'workstation',
    ),
  ).toEqual({ movingThere: ['row 3 (x)'], stillThere: ['row 1 (x)'] });
});
