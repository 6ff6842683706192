import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { formatAddress } from '../../../src/base/net/address.ts';
import { loadConfig, parseConfig } from '../../../src/config/load.ts';
import { checkPolicy } from '../../../src/retirement/plan/policy/policy.ts';

const FILE = fileURLToPath(new URL('../../../config/workstation-tunnels.yaml', import.meta.url));
const PAGE = readFileSync(new URL('../../../docs/fleet/workstation-tunnels.md', import.meta.url), 'utf8');
const ENV = { HOME: '/home/fleet' };
const NOW = new Date('2026-07-20T00:00:00Z');

/** The inventory of the fleet architecture: direction and actor of each tunnel. */
const INVENTORY = [
  ['state-hub-primary', 'local', 'coulombcore'],
  ['state-hub-cluster-coulombcore', 'local', 'coulombcore'],
  ['state-hub-railiance01', 'remote', 'railiance01'],
  ['state-hub-mcp-railiance01', 'remote', 'railiance01'],
  ['issue-core-railiance01', 'remote', 'railiance01'],
  ['issue-core-coulombcore', 'local', 'coulombcore'],
  ['state-hub-coulombcore', 'local', 'coulombcore'],
  ['state-hub-mcp-coulombcore', 'local', 'coulombcore'],
  ['k3s-api-coulombcore', 'local', 'coulombcore'],
  ['k3s-api-haskelseed', 'local', 'haskelseed'],
  ['flex-auth-coulombcore', 'local', 'coulombcore'],
  ['core-hub-staging-coulombcore', 'local', 'coulombcore'],
  ['inter-hub-coulombcore', 'local', 'coulombcore'],
  ['state-hub-haskelseed', 'remote', 'haskelseed'],
  ['state-hub-mcp-haskelseed', 'remote', 'haskelseed'],
  ['nix-daemon-haskelseed', 'remote', 'haskelseed'],
];

describe('workstation-tunnels.yaml', async () => {
  const config = await loadConfig(FILE, ENV);
  const errorsOf = (node: typeof config) =>
    checkPolicy(node, undefined, NOW).filter((each) => each.severity === 'error');

  it('names the sixteen tunnels of the inventory with direction and actor, none for production', () => {
    expect([...config.tunnels.values()].map(({ name, direction, host }) => [name, direction, host])).toEqual(INVENTORY);
    for (const { actor, host, production } of config.tunnels.values())
      expect([actor, production]).toEqual([`agt-claude-${host}`, false]);
  });

  it('passes the policy', () => {
    expect(errorsOf(config)).toEqual([]);
  });

  it.each(INVENTORY)('refuses production: true for %s, which needs the workstation', (name = '') => {
    const text = readFileSync(FILE, 'utf8');
    const start = text.indexOf(`\n  ${name}:\n`);
    const flagged = `${text.slice(0, start)}${text.slice(start).replace('production: false', 'production: true')}`;
    const errors = errorsOf(parseConfig(Buffer.from(flagged), FILE, ENV));
    expect(errors).toMatchObject([{ code: 'workstation_route', path: ['tunnels', name, 'production'] }]);
  });

  it('probes the Kubernetes API over TLS', () => {
    for (const name of ['k3s-api-coulombcore', 'k3s-api-haskelseed'])
      expect(config.tunnels.get(name)?.probe).toMatchObject({ check: { kind: 'https' } });
  });

  it('is compared with docs/fleet/workstation-tunnels.md: actor, direction, way, probe, and production for every tunnel', () => {
    const rows = PAGE.split('\n').filter((line) => /^\| `.*\| never \|/.test(line));
    const cells = rows.map((row) => row.slice(2, -2).split(' | '));
    const facts = [...config.tunnels.values()].map(({ name, actor, direction, listen, target, production, probe }) => [
      `\`${name}\``,
      `\`${actor}\``,
      direction,
      `\`${formatAddress(listen)}\` → \`${target && formatAddress(target)}\``,
      probe?.check.kind ?? 'none',
      production ? 'yes' : 'never',
    ]);
    expect(cells.map((row) => row.slice(0, 6))).toEqual(facts);
    // Each row says until when the tunnel stays, and its replacement.
    for (const row of cells) expect(row.slice(6)).toEqual([expect.stringMatching(/\w/), expect.stringMatching(/\w/)]);
  });

  it('has a replacement in railiance01-tunnels.yaml for each production lane that the page names', async () => {
    const node = await loadConfig(
      fileURLToPath(new URL('../../../config/railiance01-tunnels.yaml', import.meta.url)),
      ENV,
    );
    const lanes = new Set(PAGE.match(/fleet-[\w-]+-coulombcore/g));
    expect([...lanes].sort()).toEqual([...node.tunnels.values()].map(({ name }) => name).sort());
  });
});
