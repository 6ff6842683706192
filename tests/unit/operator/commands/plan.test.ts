import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { check } from '../../../../src/operator/commands/check.ts';
import { editPlan, showPlan } from '../../../../src/operator/commands/plan.ts';
import type { PlanEntry } from '../../../../src/retirement/plan/record.ts';

const CONFIG = fileURLToPath(new URL('../../../../config/', import.meta.url));
const NOW = new Date('2026-11-21T12:00:00Z');
const env = { HOME: '/home/fleet' };
let dir = '';
let config = '';
let plan = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'fleet-mesh-plan-'));
  config = join(dir, 'tunnels.yaml');
  plan = join(dir, 'drain-plan.yaml');
  copyFileSync(join(CONFIG, 'railiance01-tunnels.yaml'), config);
  copyFileSync(join(CONFIG, 'drain-plan.yaml'), plan);
});
afterEach(() => rmSync(dir, { recursive: true }));

function io() {
  const said = { out: '', err: '' };
  return {
    said,
    out: (text: string) => {
      said.out += text;
    },
    err: (text: string) => {
      said.err += text;
    },
  };
}

async function run(command: (streams: ReturnType<typeof io>) => Promise<number>) {
  const streams = io();
  const code = await command(streams);
  return { code, ...streams.said };
}

const change = (path: string, from: string, to: string) => {
  const text = readFileSync(path, 'utf8');
  expect(text).toContain(from);
  writeFileSync(path, text.replace(from, to));
};

describe(showPlan, () => {
  const show = (options: { wave?: string; json?: boolean; plan?: string; format?: string; as?: string } = {}) =>
    run((streams) => showPlan({ config, ...options }, streams, { env, now: NOW }));

  it('prints the plan and the tunnels that depend on it', async () => {
    const { code, out, err } = await show();
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toContain('fleet-issue-core-coulombcore depends on step 4.3');
  });

  it('prints one wave, or JSON', async () => {
    expect((await show({ wave: '4', json: true })).out).toMatch(/^\{\n {2}"id": 4,/);
    expect(JSON.parse((await show({ json: true })).out)).toMatchObject({ schema: 1, path: plan, next: ['1.1', '6.1'] });
    expect(await show({ wave: '9' })).toMatchObject({
      code: 64,
      err: 'fleet-mesh: the plan has no wave "9"; waves: 0, 1, 2, 3, 4, 5, 6, 7, 8\n',
    });
  });

  it('prints the placement register as YAML, JSON or Markdown, whole or for one wave', async () => {
    const inventory = await show({ format: 'inventory' });
    expect(inventory).toMatchObject({ code: 0, err: '' });
    expect(inventory.out).toContain('  - id: 4\n    workload: State Hub API (primary)\n');
    const { services } = JSON.parse((await show({ format: 'inventory', json: true, wave: '2' })).out);
    expect(services.map(({ id }: { id: number }) => id)).toEqual([4, 5, 6, 24, 25]);
    expect((await show({ format: 'inventory', as: 'markdown' })).out).toContain('| 4 | State Hub API (primary) |');
    expect((await show({ format: 'json' })).out).toBe((await show({ json: true })).out);
    for (const [options, message] of [
      [{ format: 'xml' }, 'unknown format "xml"; formats: text, json, inventory'],
      [{ format: 'inventory', as: 'xml' }, 'unknown format "xml" of an inventory; formats: yaml, json, markdown'],
      [{ as: 'yaml' }, '--as needs --format inventory'],
      [{ format: 'inventory', as: 'yaml', json: true }, '--json and --as yaml exclude each other'],
    ] as const) {
      expect(await show(options)).toEqual({ code: 64, out: '', err: `fleet-mesh: ${message}\n` });
    }
  });

  it('shows the plan with a warning if the tunnels cannot be read', async () => {
    change(config, 'direction: local', 'direction: locale');
    const { code, out, err } = await show();
    expect({ code, err }).toEqual({
      code: 0,
      err: `fleet-mesh: ${config} is not valid, so tunnels are not shown; run fleet-mesh check --config ${config}\n`,
    });
    expect(out).toContain('WAVE 8');
  });

  it('ends with 78 if the plan is missing or invalid', async () => {
    change(plan, 'version: 1', 'version: 2');
    expect(await show()).toEqual({ code: 78, out: '', err: `${plan}:10:10: version: got 2; expected 1\n` });
    expect(await show({ plan: join(dir, 'none.yaml') })).toMatchObject({
      code: 78,
      err: expect.stringContaining('does not exist'),
    });
    change(config, 'plan: drain-plan.yaml', '');
    expect(await show()).toMatchObject({
      code: 78,
      err: expect.stringContaining('names no plan; add plan: FILE at the top level'),
    });
  });
});

describe(editPlan, () => {
  const edit = (entry: PlanEntry, options: { json?: boolean } = {}) =>
    run((streams) => editPlan({ config, ...options }, entry, streams, { env, now: NOW }));
  const approve: PlanEntry = {
    kind: 'approve',
    gate: 'forgejo-production-decisions',
    by: 'worsch',
    evidence: 'decision 1',
  };

  it('approves a gate, and then allows its step', async () => {
    const done: PlanEntry = { kind: 'done', step: '1.1', evidence: 'docs/forgejo-production-decisions.md' };
    expect(await edit(done)).toMatchObject({
      code: 1,
      err: expect.stringContaining('gate forgejo-production-decisions'),
    });
    expect(await edit(approve)).toEqual({
      code: 0,
      // No daemon runs here, and the evidence has no other writer.
      err: expect.stringMatching(/^fleet-mesh: note: the edit is in the plan file only, not in the evidence: .*\n$/),
      out: `gate forgejo-production-decisions is approved by worsch in ${plan}; next: 1.1, 6.1\n`,
    });
    expect(JSON.parse((await edit(done, { json: true })).out)).toEqual({
      ok: true,
      path: plan,
      next: ['1.2', '6.1'],
      evidence: { recorded: false, reason: expect.stringContaining('control socket') },
    });
    const text = readFileSync(plan, 'utf8');
    expect(text).toContain('    approved: { by: worsch, at: 2026-11-21T12:00:00Z, evidence: decision 1 }\n');
    expect(text).toContain(
      '        done: { at: 2026-11-21T12:00:00Z, evidence: docs/forgejo-production-decisions.md }\n',
    );
    expect(await edit(approve)).toMatchObject({ code: 1, err: expect.stringContaining('is already approved') });
  });

  it('reports that a step was done out of order', async () => {
    expect(await edit({ kind: 'done', step: '2.3', evidence: 'x' })).toMatchObject({
      code: 0,
      err: expect.stringMatching(
        /^fleet-mesh: note: step 2.3 was not due; open before this step: wave 1, step 2.1, step 2.2\n/,
      ),
    });
  });

  it('changes nothing for unknown names or an unreadable plan', async () => {
    const before = readFileSync(plan);
    expect(await edit({ ...approve, gate: 'forgejo' })).toMatchObject({
      code: 64,
      err: expect.stringContaining('no gate "forgejo"'),
    });
    expect(await edit({ ...approve, evidence: ' \n' })).toMatchObject({ code: 64 });
    expect(readFileSync(plan)).toEqual(before);
    change(plan, 'version: 1', 'version: 2');
    expect(await edit(approve)).toMatchObject({ code: 78, err: expect.stringContaining('version: got 2') });
  });
});

describe(check, () => {
  const look = (json = false) => run((streams) => check({ config, json }, streams, env, NOW));
  const errors = async () => {
    const { code, out } = await look(true);
    const { ok, problems } = JSON.parse(out);
    expect(ok).toBe(code === 0);
    return problems.map(
      ({ file, line, path }: { file: string; line: number; path: string }) =>
        `${file.slice(dir.length + 1)}:${line} ${path}`,
    );
  };

  it('passes the shipped files', async () => {
    expect(await look()).toMatchObject({ code: 0, out: expect.stringContaining('; plan: 1 of 9 waves complete\n') });
  });

  it('finds the errors of plan and policy at once', async () => {
    change(config, 'direction: local', 'direction: locale');
    change(plan, 'blocks: ["2.2"]', 'blocks: ["2.22"]');
    expect(await errors()).toEqual([
      'tunnels.yaml:43 tunnels.fleet-state-hub-coulombcore.direction',
      'drain-plan.yaml:29 gates[1].blocks[0]',
    ]);
  });

  it('compares plan and policy, and locates an error in the right file', async () => {
    change(config, 'step: "4.3"', 'step: "4.33"');
    change(plan, 'covers: { actor: atm-fleet-mesh }', 'covers: { actor: atm-other }');
    change(plan, 'until: { waves: [2, 4] }', 'until: 2026-10-01');
    change(plan, '      owners: [RAIL-HO-WP-0005], wave: 1,', '      wave: 1,');
    expect(await errors()).toEqual([
      'tunnels.yaml:30 actors.atm-fleet-mesh.key',
      expect.stringMatching(/^tunnels\.yaml:\d+ tunnels\.fleet-state-hub-coulombcore\.host$/),
      expect.stringMatching(/^tunnels\.yaml:\d+ tunnels\.fleet-issue-core-coulombcore\.host$/),
      expect.stringMatching(/^tunnels\.yaml:\d+ tunnels\.fleet-issue-core-coulombcore\.drain\.step$/),
      expect.stringMatching(/^drain-plan\.yaml:\d+ workloads\[2\]\.owners$/),
      expect.stringMatching(/^drain-plan\.yaml:\d+ exceptions\[0\]\.until$/),
    ]);
  });

  it('skips plan and policy with --no-plan', async () => {
    change(plan, 'until: { waves: [2, 4] }', 'until: 2026-10-01');
    const alone = await run((streams) => check({ config, json: false, plan: false }, streams, env, NOW));
    expect(alone).toMatchObject({ code: 0, out: expect.not.stringContaining('; plan') });
    expect(await look()).toMatchObject({ code: 78 });
    change(config, 'direction: local', 'direction: locale');
    expect((await run((streams) => check({ config, json: false, plan: false }, streams, env, NOW))).code).toBe(78);
  });

  it('warns about conditions that are not errors yet', async () => {
    change(plan, 'until: { step: "3.2" }', 'until: 2026-11-30');
    const { code, err } = await look();
    expect(code).toBe(0);
    expect(err).toMatch(
      /drain-plan\.yaml:\d+:\d+: warning: exceptions\[1\]\.until: exception core-hub-staging-coulombcore expires soon: 2026-11-30\n/,
    );
  });
});
