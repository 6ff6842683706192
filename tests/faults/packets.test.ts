import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { has } from '../support/machine/capabilities.ts';
import { PACKET_ROWS } from './packet-rows.ts';
import { playAll } from './play-all.ts';

const { FLEET_MESH_IN_NETNS: inside, ...environment } = process.env;
const possible = (['root', 'nft', 'ip', 'sshd', 'python3'] as const).every(has);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

describe.skipIf(!possible)('packets are dropped by the kernel', () => {
  if (inside === 'yes') {
    playAll(PACKET_ROWS);
    return;
  }
  // Runs this file again in a new network namespace, which ends with the run.
  it(`passes ${PACKET_ROWS.length} rows in a separate network namespace`, () => {
    const vitest = 'node_modules/vitest/vitest.mjs run --project faults tests/faults/packets.test.ts';
    const { status, stdout, stderr } = spawnSync(
      'unshare',
      ['--net', 'sh', '-c', `ip link set lo up && exec "$0" ${vitest}`, process.execPath],
      {
        cwd: ROOT,
        env: { ...environment, FLEET_MESH_IN_NETNS: 'yes', FLEET_MESH_TEST_COUNTS: undefined },
        encoding: 'utf8',
        timeout: 290_000,
      },
    );
    process.stderr.write(
      stderr
        .split('\n')
        .filter((line) => line.startsWith('matrix:'))
        .join('\n')
        .concat('\n'),
    );
    expect(status, `${stdout}\n${stderr}`).toBe(0);
  });
});
