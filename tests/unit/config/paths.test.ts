import { describe, expect, it } from 'vitest';
import { defaultConfigPath, placesFor, resolvePath } from '../../../src/config/paths.ts';

describe(resolvePath, () => {
  const places = placesFor('/etc/fleet-mesh/tunnels.yaml', { HOME: '/home/fleet', CREDENTIALS_DIRECTORY: '/run/cred' });

  it.each([
    ['/keys/a', '/keys/a'],
    ['keys/a', '/etc/fleet-mesh/keys/a'],
    ['../a', '/etc/a'],
    ['~', '/home/fleet'],
    ['~/.ssh/id', '/home/fleet/.ssh/id'],
    ['credential:atm.key', '/run/cred/atm.key'],
  ])('makes %s absolute: %s', (written, path) => {
    expect(resolvePath(written, places)).toEqual({ path });
  });

  it.each(['~root/key', 'credential:', 'credential:..', 'credential:../key', 'credential:a/b', 'credential:a b'])(
    'rejects %s',
    (written) => {
      expect(resolvePath(written, places)).toEqual({ fault: expect.stringMatching(/; expected /) });
    },
  );

  it('reports a credential without $CREDENTIALS_DIRECTORY', () => {
    expect(resolvePath('credential:key', placesFor('/f', { HOME: '/h' }))).toEqual({
      fault: expect.stringContaining('$CREDENTIALS_DIRECTORY is not set'),
    });
  });
});

describe(placesFor, () => {
  it.each([
    [{}, '/home/fleet/.local/state/fleet-mesh'],
    [{ STATE_DIRECTORY: '' }, '/home/fleet/.local/state/fleet-mesh'],
    [{ STATE_DIRECTORY: '/var/lib/fleet-mesh' }, '/var/lib/fleet-mesh'],
    [{ STATE_DIRECTORY: '/var/lib/fleet-mesh:/var/lib/other' }, '/var/lib/fleet-mesh'],
  ])('finds the state directory in %j', (env, state) => {
    expect(placesFor('/f', { HOME: '/home/fleet', ...env })).toMatchObject({ state });
  });
});

describe(defaultConfigPath, () => {
  const system = '/etc/fleet-mesh/tunnels.yaml';
  const user = '/home/fleet/.config/fleet-mesh/tunnels.yaml';

  it.each([
    ['the environment', { FLEET_MESH_CONFIG: 'mine.yaml' }, [system, user], 'mine.yaml'],
    ['the system', {}, [system, user], system],
    ['the user', {}, [user], user],
    ['the system if no file exists', {}, [], system],
    ['the system for an empty variable', { FLEET_MESH_CONFIG: '' }, [system], system],
  ])('uses the path of %s', (_, env, existing, expected) => {
    expect(defaultConfigPath({ HOME: '/home/fleet', ...env }, (path) => existing.includes(path))).toBe(expected);
  });
});
