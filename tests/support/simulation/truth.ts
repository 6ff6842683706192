import type { SimDisk } from './disk.ts';
import { HEALTHY_MS, HOLD_MS, HUB, hubIn, PROBE_MS, type Variant } from './fleet.ts';
import type { SimClient, SimNetwork } from './network.ts';
import type { Switch } from './switch.ts';

/** Everything the truth is made of: what happened outside of the daemon. */
export interface Happened {
  /** True time, in milliseconds. */
  readonly now: number;
  /** When the running process began. */
  readonly bornAt: number;
  /** When the process last went on after it had stood still for longer than a gap. */
  readonly thawedAt: number;
  /** The configuration in force. */
  readonly variant: Variant;
  /** Since when the hub has had its listener, target and host, and the node its name. */
  readonly sameSince: number;
  /** When somebody else last moved, cut or changed the log below the running daemon. */
  readonly tamperedAt: number;
  readonly network: SimNetwork;
  readonly disk: Pick<SimDisk, 'brokenSince' | 'healedAt'>;
  /** The gate is approved, the step before is done, and the file is valid. */
  readonly planned: Switch;
  /** Where new clients of the hub would go. */
  readonly route: string;
}

/** What the daemon sees once a second may come late by this much, in milliseconds. */
const LATE_MS = 2_500;
/** A changed log is noticed within a heartbeat, in milliseconds. */
const NOTICED_MS = 5_000 + 1_500;
/** A listener that moves is closed for less than this, in milliseconds. */
const MOVE_MS = 100;
/** A heartbeat, and a while: by then the daemon has tried to write. In milliseconds. */
const TRIED_MS = 9_000;

/**
 * Why the hub must not be retired now, for an onlooker who knows everything; undefined if no reason is known, or too little
 * to be seen yet. Knows nothing of how the daemon finds out.
 */
export function truthAgainst(happened: Happened): string | undefined {
  const { now, bornAt, thawedAt, variant, sameSince, tamperedAt, network, disk, planned, route } = happened;
  const hub = hubIn(variant);
  if (!hub?.drain) return 'the hub has no drain section';
  const from = now - hub.quietMs + LATE_MS;
  if (bornAt > from) return 'the daemon did not run for the quiet period';
  if (thawedAt > from) return 'the daemon stood still in the quiet period';
  if (sameSince > from) return 'the hub was another tunnel in the quiet period';
  // A disk that fails shows nothing.
  const shown = disk.brokenSince === undefined && now - Math.max(tamperedAt, disk.healedAt) > NOTICED_MS;
  // Watching begins with the notice, so no time is given away.
  if (shown && now - tamperedAt < hub.quietMs - 100) return 'somebody changed the log in the quiet period';
  for (const client of network.clients)
    if (usedTunnel(client) && (client.until ?? now) >= from) return 'a client used the tunnel in the quiet period';
  if (network.openingOf(hub.listen).longestOff(from) > MOVE_MS) return 'the port was closed in the quiet period';
  if (network.link.longestOff(from) > HOLD_MS + LATE_MS) return 'the link was down in the quiet period';
  if (!planned.on && now - planned.since > LATE_MS) return 'the plan does not allow it';
  if (disk.brokenSince !== undefined && now - disk.brokenSince > TRIED_MS) return 'nothing can be written';
  if (hub.successor === undefined) return undefined;
  if (route !== hub.successor) return `the port leads to ${route}`;
  const missed = 2 * PROBE_MS.every + PROBE_MS.timeout + LATE_MS;
  const sick = network.healthinessOf(hub.successor).longestOff(now - Math.max(HEALTHY_MS, missed + LATE_MS));
  return sick > missed ? 'the successor was not healthy' : undefined;
}

/**
 * A client that only ever reached the successor did not use the tunnel; one that reached nothing wanted to. A client that
 * another tunnel accepted, before a reload gave the port to the hub, did not use the hub.
 */
function usedTunnel({ tunnel, ways }: SimClient): boolean {
  if (tunnel !== HUB) return false;
  return ways.has('tunnel') || !ways.has('successor');
}
