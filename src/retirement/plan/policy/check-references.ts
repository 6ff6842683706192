import { didYouMean } from '../../../base/text/closest.ts';
import { describeValue, oneOf } from '../../../config/expectation.ts';
import type { ConfigPath, Finding } from '../../../config/problem.ts';
import { NAME_EXPECTED, NAME_PATTERN } from '../../../config/schema/scalars.ts';
import { type PlanOutline, planOutlineOf } from '../outline.ts';
import { RANGE_PATTERN } from '../schema.ts';

type Id = string | number;

interface Named {
  readonly path: ConfigPath;
  readonly id: Id;
}

/** Checks that ids are unique, that references point to existing ids, and that waves do not require each other. */
export function checkReferences(data: unknown): Finding[] {
  const outline = planOutlineOf(data);
  const steps = stepsOf(outline);
  const waves = idsOf('waves', outline.waves);
  const workloads = idsOf('workloads', outline.workloads);
  return [
    ...checkFrozenNames(outline),
    ...duplicates(waves, 'wave'),
    ...duplicates(steps, 'step'),
    ...duplicates(idsOf('gates', outline.gates), 'gate'),
    ...duplicates(workloads, 'workload'),
    ...duplicates(idsOf('exceptions', outline.exceptions), 'exception'),
    ...references(outline).flatMap(({ path, id, kind }) => dangling(path, id, kind, { steps, waves, workloads }[kind])),
    ...(outline.workloads ?? []).flatMap((workload, index) => checkRange(['workloads', index, 'wave'], workload?.wave)),
    ...cycles(outline),
    ...(outline.exceptions ?? []).flatMap((exception, index) => checkException(['exceptions', index], exception)),
  ];
}

/** A frozen host whose name is invalid in the tunnel YAML would have no effect. */
function checkFrozenNames({ frozen }: PlanOutline): Finding[] {
  return Object.keys(frozen ?? {})
    .filter((name) => !NAME_PATTERN.test(name))
    .map((name) => ({
      path: ['frozen', name],
      message: `${describeValue(name)}; expected ${NAME_EXPECTED}${didYouMean(name, [name.toLowerCase()])}`,
      at: 'key',
    }));
}

function checkRange(path: ConfigPath, wave: Id | undefined): Finding[] {
  if (typeof wave !== 'string' || !RANGE_PATTERN.test(wave)) return [];
  const [first = 0, last = 0] = wave.split('-').map(Number);
  if (first < last) return [];
  const message = `got ${JSON.stringify(wave)}; expected a range from a lower to a higher wave`;
  return [{ path, message, at: 'value' }];
}

type Kind = 'steps' | 'waves' | 'workloads';
type Reference = Named & { readonly kind: Kind };

function references(outline: PlanOutline): Reference[] {
  const list = (path: ConfigPath, ids: readonly (Id | undefined)[] | undefined, kind: Kind) =>
    (ids ?? []).flatMap((id, index): Reference[] => (id === undefined ? [] : [{ path: [...path, index], id, kind }]));
  return [
    ...(outline.gates ?? []).flatMap((gate, index) => list(['gates', index, 'blocks'], gate?.blocks, 'steps')),
    ...(outline.waves ?? []).flatMap((wave, index) => list(['waves', index, 'requires'], wave?.requires, 'waves')),
    ...(outline.workloads ?? []).flatMap((workload, index) =>
      workloadWaves(['workloads', index, 'wave'], workload?.wave),
    ),
    ...(outline.exceptions ?? []).flatMap((exception, index) => [
      ...list(['exceptions', index, 'covers', 'workloads'], exception?.covers?.workloads, 'workloads'),
      ...list(['exceptions', index, 'until', 'waves'], exception?.until?.waves, 'waves'),
      ...one(['exceptions', index, 'until', 'step'], exception?.until?.step, 'steps'),
    ]),
  ];
}

function one(path: ConfigPath, id: Id | undefined, kind: Kind): Reference[] {
  return id === undefined ? [] : [{ path, id, kind }];
}

/** A range names its two ends. */
function workloadWaves(path: ConfigPath, wave: Id | undefined): Reference[] {
  if (typeof wave !== 'string') return one(path, wave, 'waves');
  return RANGE_PATTERN.test(wave) ? wave.split('-').map((end) => ({ path, id: Number(end), kind: 'waves' })) : [];
}

function dangling(path: ConfigPath, id: Id, kind: Kind, known: readonly Named[]): Finding[] {
  if (known.some((candidate) => candidate.id === id)) return [];
  const names = [...new Set(known.map((candidate) => String(candidate.id)))];
  const expected = names.length === 0 ? `a defined id, but the plan has no ${kind}` : oneOf(names.slice(0, 12));
  const what = `unknown ${kind.slice(0, -1)} ${JSON.stringify(id)}`;
  return [{ path, message: `${what}; expected ${expected}${didYouMean(String(id), names)}`, at: 'value' }];
}

function duplicates(named: readonly Named[], kind: string): Finding[] {
  return named.flatMap(({ path, id }, index): Finding[] => {
    const taken = named.slice(0, index).some((earlier) => earlier.id === id);
    return taken
      ? [
          {
            path,
            message: `duplicate ${kind} ${JSON.stringify(id)}; expected a unique id`,
            at: 'value',
          },
        ]
      : [];
  });
}

/** Each cycle of waves once, at its first wave in the file. */
function cycles(outline: PlanOutline): Finding[] {
  const requires = new Map<Id | undefined, readonly (Id | undefined)[]>();
  for (const wave of outline.waves ?? []) if (!requires.has(wave?.id)) requires.set(wave?.id, wave?.requires ?? []);
  const reported = new Set<Id>();
  return (outline.waves ?? []).flatMap((wave, index): Finding[] => {
    if (wave?.id === undefined || reported.has(wave.id)) return [];
    const cycle = cycleFrom(wave.id, requires);
    for (const member of cycle) reported.add(member);
    if (cycle.length === 0) return [];
    return [
      {
        path: ['waves', index, 'requires'],
        message: `waves require each other: ${cycle.join(' -> ')}; expected an order without a cycle`,
        at: 'key',
      },
    ];
  });
}

/** A path along `requires` from `start` back to `start`; empty if there is none. */
function cycleFrom(start: Id, requires: ReadonlyMap<Id | undefined, readonly (Id | undefined)[]>): Id[] {
  const from = new Map<Id, Id>();
  const queue: Id[] = [start];
  for (let at = queue.shift(); at !== undefined; at = queue.shift()) {
    for (const next of requires.get(at) ?? []) {
      if (next === start) {
        const way: Id[] = [start];
        for (let step: Id | undefined = at; step !== undefined; step = from.get(step)) way.unshift(step);
        return way;
      }
      if (next === undefined || from.has(next)) continue;
      from.set(next, at);
      queue.push(next);
    }
  }
  return [];
}

const UNTIL = ['waves', 'step', 'condition'] as const;
const COVERS = ['actor', 'tunnels', 'workloads'] as const;

function checkException(path: ConfigPath, exception: NonNullable<PlanOutline['exceptions']>[number]): Finding[] {
  const findings: Finding[] = [];
  const { until, covers } = exception ?? {};
  const ends = until && UNTIL.filter((key) => until[key] !== undefined);
  if (ends !== undefined && ends.length !== 1) {
    const got = ends.length === 0 ? 'no end' : ends.join(' and ');
    findings.push({
      path: [...path, 'until'],
      message: `got ${got}; expected exactly one of ${oneOf(UNTIL)}`,
      at: 'key',
    });
  }
  if (covers !== undefined && COVERS.every((key) => covers[key] === undefined)) {
    findings.push({
      path: [...path, 'covers'],
      message: `covers nothing; expected at least one of ${oneOf(COVERS)}`,
      at: 'key',
    });
  }
  return findings;
}

function idsOf(section: string, items: readonly ({ id?: Id | undefined } | undefined)[] | undefined): Named[] {
  return (items ?? []).flatMap((item, index): Named[] =>
    item?.id === undefined ? [] : [{ path: [section, index, 'id'], id: item.id }],
  );
}

function stepsOf(outline: PlanOutline): Named[] {
  return (outline.waves ?? []).flatMap((wave, index) =>
    idsOf('steps', wave?.steps).map(({ path, id }) => ({ path: ['waves', index, ...path], id })),
  );
}
