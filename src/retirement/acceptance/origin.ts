import type { Period } from '../evidence/watch.ts';
import type { AcceptanceFacts, Origin } from './facts.ts';
import { type Reason, reasonOf } from './judgement.ts';

/**
 * Whether this node wrote all lines of the window: a copied state directory, or a chain that two nodes have written, proves
 * nothing about this one. Pure.
 */
export function judgeOrigin(
  { node, machine, origins }: Pick<AcceptanceFacts, 'node' | 'machine' | 'origins'>,
  window: Period,
): Reason[] {
  const within = origins.flatMap((origin, index) => {
    const period = {
      from: Math.max(origin.at, window.from),
      until: Math.min(origins[index + 1]?.at ?? window.until, window.until),
    };
    return period.until >= period.from ? [{ ...origin, period }] : [];
  });
  return [
    ...within
      .filter((origin) => origin.node !== undefined && origin.node !== node)
      .map((origin) => foreignNode(node, origin)),
    ...foreignMachine(machine, within),
  ];
}

type Stretch = Origin & { readonly period: Period };

function foreignNode(node: string, { node: other, period }: Stretch): Reason {
  return reasonOf('evidence_of_another_node', `the evidence is that of another node: ${other}, not ${node}`, period);
}

function foreignMachine(machine: string | undefined, stretches: readonly Stretch[]): Reason[] {
  const known = stretches.filter(({ machine: id }) => typeof id === 'string');
  const own = machine ?? known.at(-1)?.machine;
  const other = known.find(({ machine: id }) => id !== own);
  if (!other) return [];
  const what =
    machine === undefined
      ? 'the evidence is that of two machines, so at least one part is of another node'
      : 'the evidence is that of another node: another machine wrote it';
  return [reasonOf('evidence_of_another_node', what, other.period)];
}
