import { describe, expect, it } from 'vitest';
import { defaultConfigPath } from '../../../src/config/default-path.ts';

describe(defaultConfigPath, () => {
  const system = '/etc/fleet-mesh/tunnels.yaml';
  const user = '/home/fleet/.config/fleet-mesh/tunnels.yaml';

  it.each([
    ['the environment', { FLEET_MESH_CONFIG: 'mine.yaml' }, [system, user], 'mine.yaml'],
    ['the system', {}, [system, user], system],
    ['the user', {}, [user], user],
    ['the system, to be named in the error', {}, [], system],
    ['the system, an empty variable being none', { FLEET_MESH_CONFIG: '' }, [system], system],
  ])('is that of %s', (_, env, existing, expected) => {
    expect(defaultConfigPath({ HOME: '/home/fleet', ...env }, (path) => existing.includes(path))).toBe(expected);
  });
});
