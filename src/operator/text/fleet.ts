import { printable } from '../../base/text/printable.ts';
import { spanBetween } from '../../base/text/span.ts';
import type { NodeState } from '../../telemetry/status/node-state.ts';
import type { FleetAnswer, FleetNode } from '../fleet/answer.ts';
import { type Column, table } from './columns.ts';
import { PLAIN, paintFor } from './paint.ts';
import type { TextOptions } from './status.ts';

/** A node in the table; the first row is this node itself. */
interface Row {
  readonly host: string;
  readonly node: string | null;
  readonly version: string | null;
  readonly state: NodeState['state'] | null;
  readonly tunnels: NodeState['tunnels'] | null;
  readonly answered: string;
  readonly reason: string | null;
}

/** The nodes that the links reach, as one table. A reason or an error follows for each node that is not up. */
export function fleetText(answer: FleetAnswer, { colour, columns: width }: Omit<TextOptions, 'clients'> = {}): string {
  const paint = colour === true ? paintFor : PLAIN;
  const rows: Row[] = [
    { ...answer.self, host: '(this node)', answered: 'now' },
    ...answer.nodes.map((node) => rowOf(node, answer.now)),
  ];
  const columns: Column<Row>[] = [
    { title: 'HOST', cell: ({ host }) => ({ text: printable(host) }) },
    { title: 'NODE', cell: ({ node }) => ({ text: printable(node ?? '-') }), dropped: 1 },
    {
      title: 'STATE',
      cell: ({ state }) => ({ text: state ?? 'no answer', paint: paint(state ?? 'down') }),
    },
    { title: 'TUNNELS UP', cell: ({ tunnels }) => ({ text: tunnels ? `${tunnels.up} of ${tunnels.total}` : '-' }) },
    { title: 'LAST ANSWER', cell: ({ answered }) => ({ text: answered }) },
    { title: 'VERSION', cell: ({ version }) => ({ text: printable(version ?? '-') }), dropped: 2 },
  ];
  const notes = [
    ...rows.flatMap(({ host, state, reason }) =>
      reason === null || state === null ? [] : [`${printable(host)}: ${printable(reason)}`],
    ),
    ...answer.nodes.flatMap(({ host, error }) =>
      error === null
        ? []
        : [
            `${printable(host)}: no answer: ${printable(error.message)} [${printable(error.code)}]`,
            `  fix: ${printable(error.hint)}`,
          ],
    ),
    ...(answer.nodes.length === 0 ? ['No link leads to another node that may be asked.'] : []),
    ...(answer.not_asked.length === 0
      ? []
      : [`not asked, too many nodes: ${answer.not_asked.map((host) => printable(host)).join(', ')}`]),
  ];
  const lines = [...table(columns, rows, width).lines, ...(notes.length === 0 ? [] : ['', ...notes])];
  return `${lines.join('\n')}\n`;
}

function rowOf({ answers, answered_at, ...node }: FleetNode, now: Date): Row {
  const ago = answered_at === null ? 'never' : `${spanBetween(answered_at, now)} ago`;
  return { ...node, answered: answers ? 'now' : ago };
}
