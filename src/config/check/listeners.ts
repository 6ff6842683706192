import { normalize } from 'node:path';
import { type Address, formatAddress, parseAddress } from '../../base/net/address.ts';
import { canonicalHost, isBeyondLoopback, isLoopbackHost } from '../../base/net/host.ts';
import { bodies, type Outline } from '../outline.ts';
import { type ConfigPath, type Finding, formatPath } from '../problem.ts';
import { DEFAULT_ENDPOINT } from '../schema.ts';

interface Listener {
  readonly path: ConfigPath;
  readonly address: Address;
  /** The machine of the listener: undefined for this node, else the name of a host. */
  readonly machine: string | undefined;
}

/**
 * Checks that the endpoint and dynamic tunnels are on loopback unless allow_remote is set, and that all listeners have
 * different addresses.
 */
export function checkListeners(outline: Outline): Finding[] {
  const listeners = listenersOf(outline);
  const collisions = listeners.flatMap((listener, index): Finding[] => {
    const earlier = listeners.slice(0, index).find((other) => collide(listener, other));
    if (earlier === undefined) return [];
    const taken = `${formatAddress(listener.address)} conflicts with ${formatPath(earlier.path)} (${formatAddress(earlier.address)})`;
    return [{ path: listener.path, message: `${taken}; expected another address`, at: 'value' }];
  });
  return [...checkEndpoint(outline), ...checkDynamic(outline), ...collisions];
}

function checkEndpoint({ endpoint }: Outline): Finding[] {
  const address = parseAddress(endpoint?.listen ?? DEFAULT_ENDPOINT);
  if (address?.kind !== 'tcp' || endpoint?.allow_remote === true || isLoopbackHost(address.host)) return [];
  return [
    {
      path: ['endpoint', 'listen'],
      message: `${address.host} is reachable from other machines; expected a loopback address such as 127.0.0.1, or allow_remote: true`,
      at: 'value',
    },
  ];
}

/** Whoever reaches a SOCKS listener makes connections from the host: beyond loopback that must be wanted. */
function checkDynamic({ tunnels }: Outline): Finding[] {
  return bodies(tunnels).flatMap(([name, { direction, listen, allow_remote: allowed }]): Finding[] => {
    const address = parseAddress(listen ?? '');
    if (direction !== 'dynamic' || allowed === true || address === undefined || !isBeyondLoopback(address)) return [];
    const message =
      `other machines can use the proxy at ${formatAddress(address)}; ` +
      'expected a loopback address such as 127.0.0.1, or allow_remote: true';
    return [{ path: ['tunnels', name, 'listen'], message, at: 'value' }];
  });
}

function listenersOf(outline: Outline): Listener[] {
  const listener = (path: ConfigPath, written: string | undefined, machine: string | undefined): Listener[] => {
    const address = written === undefined ? undefined : parseAddress(written);
    return address === undefined ? [] : [{ path, address, machine }];
  };
  return [
    ...listener(['endpoint', 'listen'], outline.endpoint?.listen ?? DEFAULT_ENDPOINT, undefined),
    ...listener(['control', 'socket'], `unix:${outline.control?.socket ?? ''}`, undefined),
    ...bodies(outline.tunnels).flatMap(([name, { listen, direction, host }]) =>
      listener(['tunnels', name, 'listen'], listen, direction === 'remote' ? (host ?? '') : undefined),
    ),
  ];
}

function collide(a: Listener, b: Listener): boolean {
  if (a.machine !== b.machine) return false;
  if (a.address.kind === 'unix' || b.address.kind === 'unix') {
    return canonicalSocket(a.address) === canonicalSocket(b.address);
  }
  return a.address.port === b.address.port && overlap(canonicalHost(a.address.host), canonicalHost(b.address.host));
}

/** `/run//a.sock` and `/run/./a.sock` are one file. */
function canonicalSocket(address: Address): string {
  return address.kind === 'unix' ? normalize(address.path) : formatAddress(address);
}

/** Whether one address covers the other. `::` includes IPv4 (dual stack); `localhost` is either loopback address. */
function overlap(a: string, b: string): boolean {
  if (a === b || isAny(a) || isAny(b)) {
    // 0.0.0.0 does not cover IPv6 addresses.
    return !((a === '0.0.0.0' && isPlainV6(b)) || (b === '0.0.0.0' && isPlainV6(a)));
  }
  const [name, other] = a === 'localhost' ? [a, b] : [b, a];
  return name === 'localhost' && (other === '127.0.0.1' || other === '::1');
}

function isAny(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}

function isPlainV6(host: string): boolean {
  return host.includes(':') && host !== '::';
}
