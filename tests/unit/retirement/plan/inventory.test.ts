import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { inventoryMarkdown } from '../../../../src/operator/text/inventory.ts';
import { inventoryOf, inventoryYaml } from '../../../../src/retirement/plan/inventory.ts';
import { parsePlan } from '../../../../src/retirement/plan/load.ts';
import { type PlanView, viewPlan } from '../../../../src/retirement/plan/view.ts';
import { REAL_PLAN } from '../../../support/fakes/plan-fixture.ts';

const NOW = new Date('2026-12-01T00:00:00Z');
const TODAY = viewOf(REAL_PLAN.toString());

function viewOf(text: string): PlanView {
  return viewPlan(parsePlan(Buffer.from(text), '/etc/drain-plan.yaml').plan, [], NOW);
}

/** The view of the real plan once these waves are complete. */
function withComplete(...complete: number[]): PlanView {
  const waves = TODAY.waves.map((wave) => ({ ...wave, complete: complete.includes(wave.id) }));
  return { ...TODAY, waves };
}

const states = (view: PlanView) =>
  new Map(inventoryOf(view).services.map(({ id, lifecycle_state: state }) => [id, state]));

describe(inventoryOf, () => {
  it('has every row of the placement register, with the names of its columns', () => {
    const { schema, plan, services } = inventoryOf(TODAY);
    expect([schema, plan.path, services.length]).toEqual([1, '/etc/drain-plan.yaml', 26]);
    expect(services[3]).toEqual({
      id: 4,
      workload: 'State Hub API (primary)',
      kind: 'service',
      current: 'coulombcore CNPG state-hub-db; cluster Svc 10.43.170.94:8000',
      target: 'railiance01 CNPG + Deployment',
      owner: ['CUST-WP-0054-T05', 'CUST-WP-0011'],
      wave: 2,
      lifecycle_state: 'draining',
      status: 'grandfathered',
      method: 'CUST-WP-0011-T07 playbook: freeze -> exact-count restore -> rewire; staged-promotion overlay',
      open_waves: [2],
    });
  });

  it('derives the lifecycle state from the status, the frozen hosts and the progress of the waves', () => {
    const today = states(TODAY);
    const of = (state: string) => [...today].filter(([, each]) => each === state).map(([id]) => id);
    expect(of('planned')).toEqual([2, 5, 16, 17]);
    expect(of('active')).toEqual([14, 15]);
    // Already on the target's machine: this workload leaves no frozen host.
    expect(of('moving')).toEqual([13]);
    expect(of('retired')).toEqual([]);
    // A workload beside the frozen host that ends there.
    expect(of('draining')).toContain(6);

    const later = states(withComplete(1, 2));
    expect([1, 2, 4, 6].map((id) => later.get(id))).toEqual(['active', 'active', 'active', 'retired']);
    // Row 24 moves in the waves 2-4, and row 9 in wave 4.
    expect([9, 24].map((id) => later.get(id))).toEqual(['draining', 'draining']);
  });

  it('keeps a workload of several waves open until the last of them is complete', () => {
    const open = (view: PlanView) => inventoryOf(view).services.find(({ id }) => id === 24)?.open_waves;
    expect(open(TODAY)).toEqual([2, 3, 4]);
    expect(open(withComplete(1, 2, 4))).toEqual([3]);
    expect([withComplete(1, 2, 4), withComplete(1, 2, 3, 4)].map((view) => states(view).get(24))).toEqual([
      'draining',
      'active',
    ]);
  });

  it('keeps the workloads of one wave', () => {
    expect(inventoryOf(TODAY, 4).services.map(({ id }) => id)).toEqual([9, 10, 24, 25]);
  });

  it('finds no frozen host in the name of another machine', () => {
    const [row] = inventoryOf(TODAY, 3).services;
    const stateAt = (current: string) => {
      const workloads = TODAY.workloads.filter(({ id }) => id === row?.id).map((each) => ({ ...each, current }));
      return inventoryOf({ ...TODAY, workloads }).services[0]?.lifecycle_state;
    };
    const places = ['coulombcore', 'railiance01 -> coulombcore', 'coulombcore-k3s default', 'mycoulombcore', 'core'];
    expect(places.map(stateAt)).toEqual(['draining', 'draining', 'draining', 'moving', 'moving']);
  });
});

describe(inventoryYaml, () => {
  it('prints YAML with the same content, and one line for each owner list', () => {
    const inventory = inventoryOf(TODAY);
    const text = inventoryYaml(inventory);
    expect(parse(text)).toEqual(inventory);
    expect(text).toContain('    owner: [CUST-WP-0054-T05, CUST-WP-0011]\n');
  });
});

describe(inventoryMarkdown, () => {
  it('prints a table in which no cell breaks out', () => {
    const [first] = inventoryOf(TODAY).services;
    if (first === undefined) throw new Error('no workload');
    const hostile = { ...first, workload: 'a|b\n| c', owner: [], wave: null };
    const text = inventoryMarkdown({ schema: 1, plan: { path: 'p', sha256: 's' }, services: [hostile] });
    expect(text.split('\n').at(-2)).toBe(
      '| 1 | a\\|b \\| c | coulombcore-k3s default; gitea.coulomb.social | railiance01 forgejo.coulomb.social | - | - | draining | grandfathered |',
    );
  });
});
