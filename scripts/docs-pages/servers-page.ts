import { ATTACK_BOUNDS, type AttackFigures } from '../../tests/support/peers/attack-figures.ts';
import { ATTACKS } from '../../tests/support/peers/enemies.ts';
import { CHECKS, type Check } from '../../tests/support/peers/lab/checks.ts';
import { LAB, type LabRow } from '../../tests/support/peers/lab/servers.ts';
import { page, prose, table } from './markdown.ts';

const SOURCE = 'tests/support/peers/lab/';

const INTRODUCTION = [
  'The tests run this table: each server on loopback, with the daemon on the other side. A failed check fails the tests.',
  'A missing server is skipped, and the tests say so.',
];

const HOSTILE = [
  'A test attacks one daemon in all these ways, one after the other. Each attack ends with `protocol_error` in the log, once.',
  `The test fails above ${ATTACK_BOUNDS.memoryMb} MB more memory, and above ${ATTACK_BOUNDS.lagMs} ms of work without a turn of the event loop.`,
  'A client of another link makes requests meanwhile, and none of its requests may fail.',
  'In the end all servers attack every new session at once.',
];

/** One run of the attacks, as the test writes it. */
interface RecordedAttacks {
  readonly node: string;
  readonly figures: Readonly<Record<string, AttackFigures>>;
}

/** The table of servers and checks that the tests run, and the figures of `attacks`. Throws when an attack has none. */
export function serversPage(attacks: RecordedAttacks): string {
  const names = Object.keys(CHECKS) as Check[];
  const notes = names.flatMap((check) => LAB.flatMap((row) => notesOf(row, check)));
  return page('Servers', SOURCE, [
    INTRODUCTION.map(prose).join(' '),
    table(
      ['Server', 'From'],
      LAB.map(({ name, from }) => [name, from]),
    ),
    '## Checks',
    table(
      ['Check', ...LAB.map(({ name }) => name)],
      names.map((check) => [prose(CHECKS[check]), ...LAB.map((row) => cell(row, check))]),
    ),
    '## Differences',
    notes.map((note) => `- ${note}`).join('\n'),
    '## Hostile servers',
    HOSTILE.map(prose).join(' '),
    table(
      ['After the login, the server sends', 'Memory', 'Event loop', 'Processor'],
      [...ATTACKS.keys()].map((name) => [prose(name), ...figuresOf(name, attacks)]),
    ),
    prose(
      `These figures are of one run on Node ${attacks.node.slice(1)}: memory above the memory before, the longest work ` +
        'of the event loop without a turn, and all work of the process.',
    ),
  ]);
}

function figuresOf(name: string, { figures }: RecordedAttacks): string[] {
  const found = figures[name];
  if (found === undefined) throw new Error(`docs/hostile-servers.json lacks "${name}": record the attacks again`);
  return [`${found.memoryMb} MB`, `${found.lagMs} ms`, `${found.processorMs} ms`];
}

function cell({ untried, differs }: LabRow, check: Check): string {
  if (untried?.[check] !== undefined) return 'not tried';
  return differs?.[check] === undefined ? 'yes' : 'yes, differently';
}

function notesOf({ untried, differs }: LabRow, check: Check): string[] {
  return [untried?.[check], differs?.[check]].flatMap((note) => (note === undefined ? [] : [prose(note)]));
}
