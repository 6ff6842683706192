import { describe, expect, it } from 'vitest';
import { stateOfUnit } from '../../../src/config/state-of-unit.ts';

const SYSTEM = '/etc/fleet-mesh/tunnels.yaml';
const USER = '/home/mesh/.config/fleet-mesh/tunnels.yaml';
const OLD = '/home/mesh/.config/fleet-mesh';
const NEW = '/home/mesh/.local/state/fleet-mesh';

describe(stateOfUnit, () => {
  it.each([
    ['the directory of the system unit', SYSTEM, { '/var/lib/fleet-mesh': 1 }, '/var/lib/fleet-mesh'],
    ['the directory of a foreground daemon that wrote last', SYSTEM, { '/var/lib/fleet-mesh': 1, [NEW]: 2 }, NEW],
    ['the configuration directory, before systemd 254', USER, { [OLD]: 1 }, OLD],
    ['~/.local/state, since systemd 254', USER, { [NEW]: 1 }, NEW],
    ['the newer one after an upgrade of systemd', USER, { [OLD]: 1, [NEW]: 2 }, NEW],
    ['no directory without evidence', USER, {}, undefined],
    [
      'no directory for the file of another daemon',
      '/tmp/tunnels.yaml',
      { [OLD]: 1, '/var/lib/fleet-mesh': 1 },
      undefined,
    ],
  ])('finds %s', (_, file, written: Readonly<Record<string, number>>, expected) => {
    const writtenAt = (path: string) => written[path.replace(/\/events\.jsonl$/, '')];
    expect(stateOfUnit(file, { HOME: '/home/mesh' }, writtenAt)).toBe(expected);
  });

  it('follows $XDG_CONFIG_HOME', () => {
    const env = { HOME: '/home/mesh', XDG_CONFIG_HOME: '/cfg' };
    expect(stateOfUnit('/cfg/fleet-mesh/tunnels.yaml', env, () => 1)).toBe('/cfg/fleet-mesh');
  });
});
