import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { DOOR_CASES, type FaultCase, LINK_CASES, type Proof } from '../../../faults/cases.ts';
import { ALL_ROWS } from '../../../faults/rows.ts';

const rows = new Set(ALL_ROWS.map(({ fault }) => fault));

function exists(proof: Proof): boolean {
  if ('row' in proof) return rows.has(proof.row);
  // As written in its file: `it.each` has the table before the title.
  return ["'", '`'].some((quote) => readFileSync(proof.file, 'utf8').includes(`${quote}${proof.title}${quote},`));
}

const missing = ({ proofs }: FaultCase) => proofs.filter((proof) => !exists(proof));

describe('the index of faults', () => {
  it.each([...LINK_CASES, ...DOOR_CASES])('names existing tests for: $fault', (entry) => {
    expect(entry.proofs).not.toEqual([]);
    expect(missing(entry)).toEqual([]);
  });

  it('names each row of the matrix once', () => {
    expect(rows.size).toBe(ALL_ROWS.length);
  });

  it('notices a test that does not exist', () => {
    const file = 'tests/faults/matrix.test.ts';
    expect(
      missing({ fault: '', right: '', proofs: [{ row: 'no such row' }, { file, title: 'no such title' }] }),
    ).toHaveLength(2);
  });
});
