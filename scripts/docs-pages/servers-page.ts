import { CHECKS, type Check } from '../../tests/support/peers/lab/checks.ts';
import { LAB, type LabRow } from '../../tests/support/peers/lab/servers.ts';
import { page, prose, table } from './markdown.ts';

const SOURCE = 'tests/support/peers/lab/';

const INTRODUCTION = [
  'The tests run this table: each server on loopback, with the daemon on the other side. A failed check fails the tests.',
  'A missing server is skipped, and the tests say so.',
];

/** The table of servers and checks that the tests run. */
export function serversPage(): string {
  const names = Object.keys(CHECKS) as Check[];
  const notes = names.flatMap((check) => LAB.flatMap((row) => notesOf(row, check)));
  return page('Servers', SOURCE, [
    INTRODUCTION.map(prose).join(' '),
    table(
      ['Server', 'From', 'MB each way'],
      LAB.map(({ name, from, megabytes }) => [name, from, `${megabytes}`]),
    ),
    prose(
      'Each MB costs the tests time, and a run by hand may send more: ' +
        '`FLEET_MESH_LAB_MB=100 npx vitest run tests/interop/tunnels/ssh/servers.test.ts`.',
    ),
    '## Checks',
    table(
      ['Check', ...LAB.map(({ name }) => name)],
      names.map((check) => [prose(CHECKS[check]), ...LAB.map((row) => cell(row, check))]),
    ),
    '## Differences',
    notes.map((note) => `- ${note}`).join('\n'),
  ]);
}

function cell({ untried, differs }: LabRow, check: Check): string {
  if (untried?.[check] !== undefined) return 'not tried';
  return differs?.[check] === undefined ? 'yes' : 'yes, differently';
}

function notesOf({ untried, differs }: LabRow, check: Check): string[] {
  return [untried?.[check], differs?.[check]].flatMap((note) => (note === undefined ? [] : [prose(note)]));
}
