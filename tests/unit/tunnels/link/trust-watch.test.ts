import { appendFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { TrustWatch } from '../../../../src/tunnels/link/trust-watch.ts';
import { generateKey } from '../../../support/certificates/keys.ts';
import { tempDir } from '../../../support/machine/temp-dir.ts';

test('notices other lines about a host, and a lost file, but no lines about other hosts', async () => {
  using temp = tempDir('trust-watch');
  const knownHosts = join(temp.path, 'known_hosts');
  const [first, second] = ['first', 'second'].map((name) => generateKey(join(temp.path, name)).publicKey);
  const [here, there] = ['here', 'there'].map((address) => ({ address, port: 22, knownHosts }));
  if (!here || !there) throw new Error('two hosts');
  const watch = new TrustWatch();
  const changed = async () => [...(await watch.look([here, there]))].map(({ address }) => address);

  writeFileSync(knownHosts, `here ${first}\nthere ${first}\n`);
  expect(await changed()).toEqual([]);
  expect(await changed()).toEqual([]);
  appendFileSync(knownHosts, `elsewhere ${second}\n`);
  expect(await changed()).toEqual([]);
  appendFileSync(knownHosts, `@revoked there ${first}\n`);
  expect(await changed()).toEqual(['there']);
  writeFileSync(knownHosts, `here ${second}\nthere ${first}\n@revoked there ${first}\n`);
  expect(await changed()).toEqual(['here']);
  rmSync(knownHosts);
  expect(await changed()).toEqual(['here', 'there']);
  expect(await changed()).toEqual([]);
  writeFileSync(knownHosts, `here ${second}\nthere ${first}\n`);
  expect(await changed()).toEqual(['here', 'there']);
});
