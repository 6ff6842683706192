import { appendFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { TrustWatch } from '../../../../src/tunnels/link/trust-watch.ts';
import { wireString } from '../../../../src/tunnels/ssh/wire.ts';
import { tempDir } from '../../../support/machine/temp-dir.ts';

function keyLine(key: Buffer): string {
  const blob = Buffer.concat([wireString('ssh-ed25519'), wireString(key)]);
  return `ssh-ed25519 ${blob.toString('base64')}`;
}

test('notices other lines about a host, and a lost file, but no lines about other hosts', async () => {
  using temp = tempDir('trust-watch');
  const knownHosts = join(temp.path, 'known_hosts');
  const [first, second] = [1, 2].map((fill) => keyLine(Buffer.alloc(32, fill)));
  const [here, there] = ['here', 'there'].map((address) => ({ address, port: 22, knownHosts }));
  if (!here || !there) throw new Error('two hosts');
  const watch = new TrustWatch();
  const changed = async () => [...(await watch.look([here, there]))].map(({ address }) => address).sort();

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
