import type { Address } from '../../base/net/address.ts';
import type { Channel, Originator } from '../channel/channel-source.ts';
import { type HedgeBudget, openHedged, patienceMs } from './hedge.ts';
import type { Held } from './session.ts';

interface OpenDependencies {
  readonly budget: HedgeBudget;
  /** The session to try as well; undefined when there is no healthy other one. */
  other(): Held | undefined;
  onRaced(winner: 'first' | 'second'): void;
}

/** Opens a channel on `first`, hedged, and says which session it came to be on. */
export async function openOn(
  first: Held,
  target: Address,
  originator: Originator,
  deps: OpenDependencies,
  signal: AbortSignal,
): Promise<{ readonly channel: Channel; readonly held: Held }> {
  deps.budget.opened();
  const receivedBefore = first.session.received;
  let rival = first;
  let held = first;
  const channel = await openHedged(
    {
      first: (withdrawn) => first.session.open(target, originator, withdrawn),
      patienceMs: patienceMs(first.session.rttMs),
      onSlow: () => first.session.check(),
      second: () => {
        const silent = first.session.received === receivedBefore;
        const second = deps.other();
        if (!second || second.session.suspect) return undefined;
        if (!silent && !first.session.suspect && !deps.budget.take()) return undefined;
        rival = second;
        return (withdrawn) => second.session.open(target, originator, withdrawn);
      },
      onRaced: (winner) => {
        if (winner === 'second') held = rival;
        deps.onRaced(winner);
      },
    },
    signal,
  );
  return { channel, held };
}
