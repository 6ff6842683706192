import { mkdirSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PlanWatch } from '../../../../src/retirement/plan/watch.ts';
import type { Happening } from '../../../../src/telemetry/happening.ts';
import { createLogger } from '../../../../src/telemetry/log/log.ts';
import { planYaml, wave } from '../../../support/fakes/plan-fixture.ts';
import { type TempDir, tempDir } from '../../../support/machine/temp-dir.ts';
import { waitUntil } from '../../../support/wait-until.ts';

let dir: TempDir;
let path: string;
let lines: string[];
let noted: Happening[];
let watch: PlanWatch;
let stopped: AbortController;
let looks = 0;
beforeEach(() => {
  dir = tempDir('watch');
  path = join(dir.path, 'plan.yaml');
  lines = [];
  noted = [];
  const log = createLogger({ level: 'info', stream: { write: (line) => void lines.push(line) } });
  const note = (happening: Happening) => void noted.push(happening);
  watch = new PlanWatch(log, note, () => {
    looks++;
    return 5;
  });
  stopped = new AbortController();
});
afterEach(async () => {
  stopped.abort();
  await watch.done;
  dir[Symbol.dispose]();
});

const plan = (done: number) => planYaml({ waves: [wave(1, [], 3, done)] });
const doneSteps = () => watch.watched?.plan?.waves[0]?.steps.filter((step) => step.done !== undefined).length;
const said = () => lines.map((line) => JSON.parse(line)).map(({ event, msg }) => `${event}: ${msg}`);

describe(PlanWatch, () => {
  const follow = async (done = 0) => {
    writeFileSync(path, plan(done));
    await watch.follow(path);
    watch.start(stopped.signal);
  };

  it('reads the plan before it polls', async () => {
    expect(watch.watched).toBeUndefined();
    writeFileSync(path, plan(1));
    await watch.follow(path);
    expect(watch.watched).toMatchObject({ path, lastLoad: { ok: true, error: null } });
    expect(said()).toEqual(['plan.loaded: plan loaded: steps done: 1, gates approved: 0']);
  });

  it('puts each plan into the evidence, with the SHA-256 before and after', async () => {
    await follow(1);
    const first = watch.watched?.plan?.sha256;
    writeFileSync(path, plan(2));
    await watch.follow(path);
    await watch.follow(path);
    const second = watch.watched?.plan?.sha256;
    expect(noted).toMatchObject([
      { event: 'plan.loaded', plan: path, sha256: first, sha256_before: null },
      { event: 'plan.changed', sha256: second, sha256_before: first, changes: 'plan changed: steps done: 1.2' },
    ]);
  });

  it.each<[string, () => void]>([
    ['written over', () => writeFileSync(path, plan(2))],
    [
      'replaced',
      () => {
        writeFileSync(`${path}.new`, plan(2));
        renameSync(`${path}.new`, path);
      },
    ],
  ])('picks up a file that was %s', async (_, change) => {
    await follow();
    change();
    await waitUntil('the plan', () => doneSteps() === 2);
    expect(said().at(-1)).toBe('plan.changed: plan changed: steps done: 1.1, 1.2');
  });

  it('follows a symbolic link to a new target, as git and Kubernetes replace it', async () => {
    for (const [version, done] of [
      ['one', 0],
      ['two', 1],
    ] as const) {
      mkdirSync(join(dir.path, version));
      writeFileSync(join(dir.path, version, 'plan.yaml'), plan(done));
    }
    symlinkSync('one', join(dir.path, 'now'));
    await watch.follow(join(dir.path, 'now', 'plan.yaml'));
    watch.start(stopped.signal);
    symlinkSync('two', join(dir.path, 'next'));
    renameSync(join(dir.path, 'next'), join(dir.path, 'now'));
    await waitUntil('the plan', () => doneSteps() === 1);
  });

  it('keeps the last valid plan, reports an invalid one once, and takes the next valid one', async () => {
    await follow(1);
    const { plan: before, loadedAt } = watch.watched ?? {};
    writeFileSync(path, 'version: 2\nwaves: []\n');
    await waitUntil('the plan', () => watch.watched?.lastLoad.ok === false);
    expect(watch.watched).toMatchObject({ plan: before, loadedAt });
    expect(watch.watched?.lastLoad.error).toMatch(/plan\.yaml:1:10: version: got 2; expected 1/);
    const seen = looks + 3;
    await waitUntil('more looks', () => looks > seen);
    unlinkSync(path);
    await waitUntil('the plan', () => /does not exist/.test(watch.watched?.lastLoad.error ?? ''));
    expect(watch.watched?.plan).toBe(before);
    writeFileSync(path, plan(0));
    await waitUntil('the plan', () => watch.watched?.lastLoad.ok === true);
    expect(said().slice(1)).toEqual([
      expect.stringMatching(/^plan\.refused: the plan is invalid, the previous plan stays in force: .*got 2/),
      expect.stringMatching(/^plan\.refused: .*does not exist/),
      'plan.changed: plan changed: steps open again: 1.1',
    ]);
  });

  it('counts a change at once for whoever asks, without a poll', async () => {
    writeFileSync(path, plan(0));
    await watch.follow(path);
    writeFileSync(path, plan(2));
    await Promise.all([watch.refresh(), watch.refresh()]);
    expect(doneSteps()).toBe(2);
    writeFileSync(path, 'waves: {');
    await watch.refresh();
    expect(watch.watched?.lastLoad.ok).toBe(false);
  });

  it('waits for a missing plan file', async () => {
    await watch.follow(path);
    expect(watch.watched).toMatchObject({ plan: undefined, lastLoad: { ok: false } });
    watch.start(stopped.signal);
    writeFileSync(path, plan(0));
    await waitUntil('the plan', () => watch.watched?.plan !== undefined);
  });

  it('drops the old plan when the path changes', async () => {
    await follow();
    await watch.follow(join(dir.path, 'other.yaml'));
    expect(watch.watched).toMatchObject({ plan: undefined, lastLoad: { ok: false } });
    await watch.follow(undefined);
    expect(watch.watched).toBeUndefined();
    rmSync(path);
  });
});
