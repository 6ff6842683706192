import type { Address } from '../base/net/address.ts';
import { canonicalHost, isLoopbackHost, reachableHost } from '../base/net/host.ts';
import { parseIp } from '../base/net/ip.ts';

/** A tunnel that listens on this node. */
export interface Entrance {
  readonly name: string;
  readonly listen: Address;
  /** The target of the successor; undefined without one. */
  readonly successor: Address | undefined;
}

/** What is known of the names and addresses of this node. */
export interface Knowledge {
  /** The IP addresses of a name; empty: unknown. */
  addressesOf(name: string): readonly string[];
  /** Whether an IP address is one of this node. */
  isLocal(ip: string): boolean;
}

/** Without asking anybody: `localhost`, and the loopback addresses. */
export const STATIC: Knowledge = {
  addressesOf: (name) => (name === 'localhost' ? ['127.0.0.1', '::1'] : []),
  isLocal: isLoopbackHost,
};

/**
 * The tunnels that a client of the named tunnel would pass in a circle, if each port were cut over; undefined: no circle.
 * One circle turns each client into as many connections as the node can bear. Pure.
 */
export function successorLoop(
  name: string,
  entrances: readonly Entrance[],
  known: Knowledge = STATIC,
): string[] | undefined {
  const passed: string[] = [];
  let at = entrances.find((entrance) => entrance.name === name);
  while (at !== undefined && !passed.includes(at.name)) {
    passed.push(at.name);
    const { successor } = at;
    at = successor && entrances.find(({ listen }) => arrives(successor, listen, known));
  }
  return at && passed;
}

/** Whether a connection to the target is accepted by that listener. */
function arrives(target: Address, listen: Address, known: Knowledge): boolean {
  if (target.kind === 'unix' || listen.kind === 'unix')
    return target.kind === 'unix' && listen.kind === 'unix' && target.path === listen.path;
  if (target.port !== listen.port) return false;
  // A connection to "any address" goes to the loopback address.
  const dialled = addresses(target.host, known).map(reachableHost);
  const bound = addresses(listen.host, known);
  if (canonicalHost(target.host) === canonicalHost(listen.host)) return true;
  return dialled.some((ip) => bound.some((own) => own === ip || (coversAll(own, ip) && known.isLocal(ip))));
}

/** `::` takes IPv4 as well (dual stack). */
function coversAll(own: string, ip: string): boolean {
  return own === '::' || (own === '0.0.0.0' && !ip.includes(':'));
}

function addresses(host: string, known: Knowledge): string[] {
  const canonical = canonicalHost(host);
  const found = parseIp(canonical) === undefined ? known.addressesOf(canonical) : [canonical];
  return found.map(canonicalHost);
}

/** The circle in words, for the tunnel it was found for. */
export function describeLoop([name, ...others]: readonly string[]): string {
  if (others.length === 0) return `the successor of ${name} is its own local port`;
  return `the successor of ${name} leads in a circle, over ${others.join(', ')}`;
}
