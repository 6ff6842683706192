import { z } from 'zod';
import { aside } from '../../base/async/aside.ts';
import { printable } from '../../base/text/printable.ts';
import { instant, status, TUNNEL_STATES, type TunnelStateName, tunnelStatus } from './status.ts';

/** More tunnels than this are no snapshot of a node. It bounds the work for a hostile answer. */
const MOST_TUNNELS = 2_000;
/** Even a hostile answer of this size is decoded within 20 ms. A larger one is decoded in a thread, which takes 0.2 s to start. */
const SMALL_BYTES = 32 * 1024;
/** Bounds of foreign text, in characters. */
const NAME_LENGTH = 63;
const REASON_LENGTH = 300;

const counts = z.object({ total: z.int().nonnegative(), ...countShape() });

/** The state of another node, as its own daemon tells it. All text is foreign: it is safe to print, but it proves nothing. */
export const nodeState = z.object({
  node: z.string(),
  version: z.string(),
  started_at: instant,
  state: status.shape.state,
  reason: z.string().nullable(),
  /** The number of tunnels, and how many are in each state. */
  tunnels: counts,
});
export type NodeState = z.infer<typeof nodeState>;

/**
 * The part of a snapshot that {@link NodeState} needs. Nodes have other versions than this one: fields that this program
 * does not know, or does not need, cannot make an answer invalid.
 */
const snapshot = z.object({
  ...status.pick({ schema: true, node: true, version: true, started_at: true, state: true, reason: true }).shape,
  // The length comes first: a long list of garbage is refused without a look at its entries.
  tunnels: z
    .array(z.unknown())
    .max(MOST_TUNNELS)
    .pipe(z.array(z.object(tunnelStatus.pick({ state: true }).shape))),
});

/**
 * Decodes the body of another daemon's `/status` without keeping the event loop. Throws an Error whose message is the
 * reason, safe to print.
 * @param withinMs the longest time for the thread, in milliseconds
 */
export async function decodeNodeState(body: Buffer, withinMs: number): Promise<NodeState> {
  const outcome =
    body.length <= SMALL_BYTES ? readNodeState(body) : await aside(import.meta.url, readNodeState, [body], withinMs);
  if ('fault' in outcome) throw new Error(outcome.fault);
  return outcome.state;
}

type Outcome = { readonly state: NodeState } | { readonly fault: string };

/**
 * Runs in a thread too, so the result can be copied. Never throws.
 *
 * @public the thread finds it by its name
 */
export function readNodeState(body: Uint8Array): Outcome {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder().decode(body));
  } catch {
    return { fault: 'the answer is not JSON' };
  }
  const parsed = snapshot.safeParse(json);
  if (!parsed.success) {
    const [where] = parsed.error.issues.map(({ path }) => path.join('.'));
    const about = where === undefined || where === '' ? '' : ` (${printable(where, NAME_LENGTH)})`;
    return { fault: `the answer is not a fleet-mesh snapshot of schema 1${about}` };
  }
  const { node, version, started_at, state, reason, tunnels } = parsed.data;
  return {
    state: {
      node: printable(node, NAME_LENGTH),
      version: printable(version, NAME_LENGTH),
      started_at,
      state,
      reason: reason === null ? null : printable(reason, REASON_LENGTH),
      tunnels: countTunnels(tunnels),
    },
  };
}

/** The tunnels of a snapshot by state. */
export function countTunnels(tunnels: readonly { readonly state: TunnelStateName }[]): NodeState['tunnels'] {
  const counted = { total: tunnels.length, ...zeroes() };
  for (const { state } of tunnels) counted[state] += 1;
  return counted;
}

function zeroes(): Record<TunnelStateName, number> {
  return Object.fromEntries(TUNNEL_STATES.map((state) => [state, 0])) as Record<TunnelStateName, number>;
}

function countShape(): Record<TunnelStateName, z.ZodInt> {
  const count = z.int().nonnegative();
  return Object.fromEntries(TUNNEL_STATES.map((state) => [state, count])) as Record<TunnelStateName, z.ZodInt>;
}
