import { expect, test } from 'vitest';
import type { Config } from '../../../src/config/config.ts';
import { ConfigInForce } from '../../../src/daemon/config-in-force.ts';

test('warns while the file names another state_dir than the one of the start', () => {
  const withState = (stateDir: string) => ({ stateDir }) as Config;
  const inForce = new ConfigInForce(withState('/old'));
  expect(inForce.advisories()).toEqual([]);
  inForce.replace(withState('/new'));
  inForce.replace(withState('/newer'));
  expect(inForce.advisories()).toMatchObject([{ code: 'state_dir_moved' }]);
  expect(inForce.advisories()[0]?.message).toMatch(/\/old until a restart, and \/newer in the file/);
  inForce.replace(withState('/old'));
  expect(inForce.advisories()).toEqual([]);
});
