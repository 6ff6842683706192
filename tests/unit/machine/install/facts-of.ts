import { parseConfig } from '../../../../src/config/load.ts';
import type { Facts } from '../../../../src/machine/install/facts.ts';
import { type Places, systemPlaces } from '../../../../src/machine/install/places.ts';
import type { Release } from '../../../../src/machine/install/release.ts';

/** A configuration with these lines under `tunnels:`, each `name: settings` but host and actor. */
export function configOf(tunnels: readonly string[], endpoint = '127.0.0.1:9780') {
  const lines = tunnels.map((line) => `  ${line.replace('{ ', '{ host: far, actor: atm-x, ')}\n`).join('');
  const text = `version: 1
node: here
endpoint: { listen: "${endpoint}" }
hosts: { here: { address: 127.0.0.1 }, far: { address: 192.0.2.1, user: u } }
actors: { atm-x: { key: /k } }
tunnels:${tunnels.length === 0 ? ' {}' : ''}
${lines}`;
  return parseConfig(Buffer.from(text), '/etc/fleet-mesh/tunnels.yaml', { HOME: '/var/lib/fleet-mesh' });
}

export const RELEASE: Release = {
  id: '1.0.0-aaa',
  tree: '/tmp/packed',
  units: new Map([
    ['fleet-mesh.service', 'service'],
    ['fleet-mesh-forward@.socket', 'forward'],
    ['fleet-mesh-endpoint.socket', 'endpoint'],
  ]),
  sysusers: 'sysusers',
  tmpfiles: 'tmpfiles',
  notifyFallback: 'fallback',
  restartSteps: 'steps',
  example: 'example',
};

/** A bare node for the system, with whatever is different. */
export function factsOf(different: Partial<Facts> = {}): Facts {
  const places: Places = systemPlaces();
  return {
    places,
    release: RELEASE,
    traits: { systemdVersion: 252, speaksNatively: true },
    node: '/usr/bin/node',
    user: 'root',
    lingering: undefined,
    files: new Map(),
    links: new Map(),
    commandTaken: false,
    dropIns: [],
    releases: [],
    record: undefined,
    config: configOf(['hub: { listen: 127.0.0.1:18000, target: 10.0.0.5:8000 }']),
    newConfig: undefined,
    units: new Map(),
    oldUnits: [],
    takenPorts: new Set(),
    ...different,
  };
}
