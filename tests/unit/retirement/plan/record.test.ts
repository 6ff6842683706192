import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parsePlan } from '../../../../src/retirement/plan/load.ts';
import { type PlanEntry, recordIn } from '../../../../src/retirement/plan/record.ts';
import { REAL_PLAN } from '../../../support/fakes/plan-fixture.ts';

const NOW = new Date('2026-11-21T12:34:56.789Z');

const approve = (gate: string, by = 'worsch', evidence = 'decision 1234'): PlanEntry => ({
  kind: 'approve',
  gate,
  by,
  evidence,
});
const done = (step: string, evidence = 'seen'): PlanEntry => ({ kind: 'done', step, evidence });

const refusal = (text: string | Buffer, entry: PlanEntry) => {
  const result = recordIn(Buffer.from(text), 'f', entry, NOW);
  return 'kind' in result ? `${result.kind}: ${result.message}` : undefined;
};

const written = (text: string | Buffer, entry: PlanEntry) => {
  const result = recordIn(Buffer.from(text), 'f', entry, NOW);
  if ('kind' in result) throw new Error(result.message);
  return result.text;
};

/** The inserted text. Proves that nothing else changed. */
function inserted(before: string, after: string): string {
  let start = 0;
  while (start < before.length && before[start] === after[start]) start++;
  const added = after.length - before.length;
  // The insertion may begin like the text after it.
  for (let at = start; at >= 0; at--) {
    if (before.slice(0, at) + after.slice(at, at + added) + before.slice(at) === after)
      return after.slice(at, at + added);
  }
  throw new Error('more than an insertion');
}

describe('recordIn, for the real plan', () => {
  it('adds an approval as one line', () => {
    const text = written(REAL_PLAN, approve('state-hub-cutover'));
    expect(text).toContain(`    workplan: CUST-WP-0011-T07
    blocks: ["2.2"]
    approved: { by: worsch, at: 2026-11-21T12:34:56Z, evidence: decision 1234 }

  - id: core-hub-cutover`);
    expect(inserted(REAL_PLAN.toString(), text).split('\n')).toHaveLength(2);
  });

  it('records every gate, then a step of each wave, in sequence', () => {
    let text = REAL_PLAN.toString();
    const { plan } = parsePlan(REAL_PLAN, 'f');
    const steps = plan.waves.slice(1).flatMap((wave) => wave.steps.slice(-1));
    for (const entry of [
      ...plan.gates.map(({ id }) => approve(id)),
      ...steps.map(({ id }) => done(id, `evidence of ${id}`)),
    ]) {
      const next = written(text, entry);
      inserted(text, next);
      text = next;
    }
    const after = parsePlan(Buffer.from(text), 'f').plan;
    expect(after.gates.every(({ approved }) => approved?.by === 'worsch')).toBe(true);
    expect(after.waves.every((wave) => wave.steps.at(-1)?.done !== undefined)).toBe(true);
    for (const line of REAL_PLAN.toString().split('\n')) expect(text).toContain(line);
  });

  it('explains each refusal', () => {
    expect(refusal(REAL_PLAN, approve('state-hub-cutovr'))).toMatch(
      /^usage: the plan has no gate "state-hub-cutovr"; known: .*; did you mean "state-hub-cutover"\?$/,
    );
    expect(refusal(REAL_PLAN, done('2.40'))).toMatch(
      /^usage: the plan has no step "2.40"; known: 0.1, .*did you mean "2\.4"\?$/,
    );
    expect(refusal(REAL_PLAN, done('0.1'))).toMatch(/^refused: step 0.1 is already done at 2026-07-03: canon/);
    expect(refusal(REAL_PLAN, done('2.2'))).toMatch(
      /^refused: gate state-hub-cutover .* blocks step 2.2; operator must approve the gate first/,
    );
    const approved = written(REAL_PLAN, approve('state-hub-cutover'));
    expect(refusal(approved, approve('state-hub-cutover'))).toBe(
      'refused: gate state-hub-cutover is already approved by worsch at 2026-11-21T12:34:56Z: decision 1234',
    );
    expect(written(approved, done('2.2'))).toContain('    done: { at: 2026-11-21T12:34:56Z, evidence: seen }');
  });

  it.each(['', 'two\nlines', 'a\u0007bell', 'x'.repeat(1_001)])('rejects the evidence %j', (evidence) => {
    expect(refusal(REAL_PLAN, done('2.1', evidence))).toMatch(/^usage: --evidence: /);
  });
});

const HEAD = 'version: 1\nwaves:\n  - { id: 1, title: t, requires: [], steps: [{ id: "1.1", action: a }] }\ngates:\n';
const LINE = 'approved: { by: worsch, at: 2026-11-21T12:34:56Z, evidence: decision 1234 }';

describe('recordIn, for any YAML style', () => {
  it.each([
    [
      'a flow mapping',
      `- { id: g, title: t, owner: o, blocks: ["1.1"] } # why`,
      `- { id: g, title: t, owner: o, blocks: ["1.1"], ${LINE} } # why`,
    ],
    [
      'a flow mapping of several lines',
      `- { id: g, title: t, # a title\n    owner: o, blocks: ["1.1"] # last\n  }`,
      `- { id: g, title: t, # a title\n    owner: o, blocks: ["1.1"], ${LINE} # last\n  }`,
    ],
    [
      'a comma at the end',
      `- { id: g, title: t, owner: o, blocks: ["1.1"], }`,
      `- { id: g, title: t, owner: o, blocks: ["1.1"], ${LINE}, }`,
    ],
    [
      'a comment at the end',
      `- id: g\n  title: t\n  owner: o\n  blocks: ["1.1"] # why\n# after`,
      `- id: g\n  title: t\n  owner: o\n  blocks: ["1.1"] # why\n  ${LINE}\n# after`,
    ],
    [
      'a list in block style',
      `- id: g\n  title: t\n  owner: o\n  blocks:\n  - "1.1" # it\n\n# after\n`,
      `- id: g\n  title: t\n  owner: o\n  blocks:\n  - "1.1" # it\n  ${LINE}\n\n# after\n`,
    ],
    [
      'text over several lines',
      `- id: g\n  blocks: ["1.1"]\n  owner: o\n  title: >-\n    one\n    two\n`,
      `- id: g\n  blocks: ["1.1"]\n  owner: o\n  title: >-\n    one\n    two\n  ${LINE}\n`,
    ],
    [
      'no newline at the end',
      `- id: g\n  title: t\n  owner: o\n  blocks: ["1.1"]`,
      `- id: g\n  title: t\n  owner: o\n  blocks: ["1.1"]\n  ${LINE}`,
    ],
    [
      'deep indentation',
      `   -   id: g\n       title: t\n       owner: o\n       blocks: ["1.1"]\n`,
      `   -   id: g\n       title: t\n       owner: o\n       blocks: ["1.1"]\n       ${LINE}\n`,
    ],
    [
      'an id that is not first',
      `- title: t\n  owner: o\n  blocks: ["1.1"]\n  id: g\n`,
      `- title: t\n  owner: o\n  blocks: ["1.1"]\n  id: g\n  ${LINE}\n`,
    ],
  ])('inserts one record into %s', (_, before, after) => {
    expect(written(HEAD + before, approve('g'))).toBe(HEAD + after);
  });

  it('keeps CRLF and a byte order mark', () => {
    const before = `\uFEFF${HEAD}- id: g\n  title: t\n  owner: o\n  blocks: ["1.1"]\n`.replaceAll('\n', '\r\n');
    const after = written(before, approve('g'));
    expect(inserted(before, after)).toBe(`  ${LINE}\r\n`);
  });

  it('edits a plan that contains an alias', () => {
    const before = `${HEAD}- { id: f, title: t, owner: o, blocks: &b ["1.1"] }\n- { id: g, title: t, owner: o, blocks: *b }\n`;
    expect(written(before, approve('g'))).toBe(before.replace('*b }', `*b, ${LINE} }`));
  });
});

describe('recordIn, for any evidence', () => {
  it('writes exactly the given evidence, and changes nothing else', () => {
    const words = fc.string({
      unit: fc.oneof(fc.constantFrom(...'a1 :#{}[],"\'\\|>&*!%@`-?~$ü€'), fc.string({ minLength: 1, maxLength: 1 })),
      minLength: 1,
      maxLength: 30,
    });
    const small = `${HEAD}  - id: g\n    title: t\n    owner: o\n    blocks: ["1.1"] # why\n`;
    fc.assert(
      fc.property(words, words, (by, evidence) => {
        const result = recordIn(Buffer.from(small), 'f', approve('g', by, evidence), NOW);
        if ('kind' in result) {
          // Only evidence that the schema rejects.
          const unusable = /\p{Cc}|[\u2028\u2029\ud800-\udfff]|^[\p{Z}\p{C}]*$/u;
          expect([by, evidence].some((words) => unusable.test(words))).toBe(true);
          return;
        }
        inserted(small, result.text);
        const gate = parsePlan(Buffer.from(result.text), 'f').plan.gates.find(({ id }) => id === 'g');
        expect(gate?.approved).toEqual({ by, at: '2026-11-21T12:34:56Z', evidence });
      }),
      { numRuns: 100 },
    );
  });
});
