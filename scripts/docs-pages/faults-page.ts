import { DOOR_CASES, type FaultCase, LINK_CASES, type Proof } from '../../tests/faults/cases.ts';
import type { FaultRow } from '../../tests/faults/row.ts';
import { ALL_ROWS } from '../../tests/faults/rows.ts';
import { code, page, prose, sentence, table } from './markdown.ts';

const SOURCE = 'tests/faults/';

const INTRODUCTION = [
  'The tests make each fault of this page on a real sshd or a real file, and fail if the program behaves in another way.',
];

const MATRIX = [
  'Each row has a stream open on the active session, and a client that makes requests all the time.',
  'Unless a row says otherwise, a link has two sessions, and a session ends after 3 s of silence.',
  'At the end every tunnel is up again, and no descriptor, session or timer is left over.',
  'A request that may fail is one of a client that does not wait long enough, or of a fault that cuts requests.',
];

/** The faults that the tests make: the rows of the matrix, and the cases that have tests elsewhere. */
export function faultsPage(): string {
  return page('Faults', SOURCE, [
    INTRODUCTION.map(prose).join(' '),
    '## Links',
    casesTable(LINK_CASES),
    '## Commands, files and doors',
    casesTable(DOOR_CASES),
    '## The matrix',
    MATRIX.map(prose).join(' '),
    table(
      ['Fault', '`/status` meanwhile', 'Requests', 'Open stream', 'Whole again within'],
      ALL_ROWS.map((row) => [prose(row.fault), shown(row), row.requests, row.stream, seconds(row.recoversWithinMs)]),
    ),
  ]);
}

function casesTable(cases: readonly FaultCase[]): string {
  return table(
    ['Fault', 'Right', 'Tests'],
    cases.map(({ fault, right, proofs }) => [prose(fault), sentence(right), unique(proofs.map(linkTo)).join(', ')]),
  );
}

function linkTo(proof: Proof): string {
  if ('row' in proof) return '[the matrix](#the-matrix)';
  return `[${proof.file.slice(proof.file.lastIndexOf('/') + 1)}](../${proof.file})`;
}

function shown({ during }: FaultRow): string {
  if (during === undefined) return '';
  const { tunnel, link, node, replacement, linkCode, tunnelCode, replacementCode } = during;
  const states = Object.entries({ node, link, tunnel, replacement }).flatMap(([name, state]) =>
    typeof state === 'string' ? `${name} ${code(state)}` : [],
  );
  const codes = [linkCode, tunnelCode, replacementCode].flatMap((name) => (name === undefined ? [] : [code(name)]));
  return [...states, ...codes].join(', ');
}

function seconds(ms: number): string {
  return `${ms / 1_000} s`;
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)];
}
