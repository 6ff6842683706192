import { type Address, formatAddress } from '../../base/net/address.ts';
import { parseIp } from '../../base/net/ip.ts';
import type { Config } from '../../config/config.ts';
import type { Scope } from './places.ts';

/** A socket unit that a configuration needs. */
export interface SocketUnit {
  readonly name: string;
  /** Its files that are not shipped: path below the directory of unit files → text. */
  readonly files: ReadonlyMap<string, string>;
  /** The tunnel of the socket; undefined: the endpoint. */
  readonly tunnel: string | undefined;
}

const ENDPOINT_SOCKET = 'fleet-mesh-endpoint.socket';
/** As in the shipped unit. */
const SHIPPED_ENDPOINT = '127.0.0.1:9780';
const MADE = '# Made by `fleet-mesh install` of the tunnel YAML; the next run writes this file again.';

/**
 * The socket units for the listeners of this node, named so that the daemon recognises them. `without` lists the listeners
 * that cannot have one, because systemd resolves no names. Pure.
 */
export function socketsFor(config: Config, scope: Scope): { sockets: SocketUnit[]; without: string[] } {
  const sockets: SocketUnit[] = [];
  const without: string[] = [];
  const endpoint = listenStream(config.endpoint.listen);
  if (endpoint === undefined) without.push(`the endpoint at ${formatAddress(config.endpoint.listen)}`);
  else sockets.push({ name: ENDPOINT_SOCKET, files: endpointFiles(endpoint), tunnel: undefined });
  for (const { name, direction, listen } of config.tunnels.values()) {
    if (direction === 'remote') continue;
    const stream = listenStream(listen);
    if (stream === undefined) without.push(`tunnel ${name} at ${formatAddress(listen)}`);
    else if (listen.kind === 'tcp' && stream === `127.0.0.1:${listen.port}`) {
      sockets.push({ name: `fleet-mesh-forward@${listen.port}.socket`, files: new Map(), tunnel: name });
    } else {
      const unit = `fleet-mesh-tunnel-${name}.socket`;
      sockets.push({ name: unit, files: new Map([[unit, ownSocket(name, listen, stream, scope)]]), tunnel: name });
    }
  }
  return { sockets, without };
}

/** `ListenStream=` of systemd.socket(5); undefined for a name. */
function listenStream(address: Address): string | undefined {
  // A percent sign begins a specifier.
  if (address.kind === 'unix') return address.path.replaceAll('%', '%%');
  if (address.host.toLowerCase() === 'localhost') return `127.0.0.1:${address.port}`;
  return parseIp(address.host) === undefined ? undefined : formatAddress(address);
}

function endpointFiles(stream: string): ReadonlyMap<string, string> {
  if (stream === SHIPPED_ENDPOINT) return new Map();
  const text = `${MADE}\n[Socket]\nListenStream=\nListenStream=${stream}\n`;
  return new Map([[`${ENDPOINT_SOCKET}.d/50-listen.conf`, text]]);
}

function ownSocket(name: string, listen: Address, stream: string, scope: Scope): string {
  const owner = scope === 'system' ? 'SocketUser=fleet-mesh\n' : '';
  const access = listen.kind === 'unix' ? `SocketMode=0600\n${owner}` : '';
  return `${MADE}
[Unit]
Description=fleet-mesh: tunnel ${name}

[Socket]
ListenStream=${stream}
${access}FileDescriptorName=tunnel-${name}
Service=fleet-mesh.service
TriggerLimitIntervalSec=0

[Install]
WantedBy=sockets.target
`;
}

/**
 * A drop-in of the daemon's unit: each start or restart of the daemon first binds its sockets, in one transaction.
 * Without it, systemd passes only sockets that already run. Pure.
 */
export function wantsSockets(sockets: readonly SocketUnit[]): string {
  return `${MADE}\n[Unit]\nWants=${sockets.map(({ name }) => name).join(' ')}\n`;
}
