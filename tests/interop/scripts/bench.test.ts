import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { has } from '../../support/machine/capabilities.ts';
import { spawnOwned } from '../../support/machine/owned-process.ts';
import { tempDir } from '../../support/machine/temp-dir.ts';

const TOOLS = ['sshd', 'ssh', 'wrk', 'iperf3', 'nginx', 'redis-server'] as const;

// No verdict on times: this run only shows that every way carries the load.
it.skipIf(!TOOLS.every(has))(
  'measures every way with small requests and a bulk stream, and many open connections',
  async () => {
    using temp = tempDir('bench');
    const args = [
      '--import',
      'tsx',
      'scripts/bench-run/main.ts',
      '--quick',
      '--only',
      'one,bulk,many',
      '--out',
      temp.path,
    ];
    await using bench = spawnOwned(process.execPath, args);
    const { code } = await bench.exit;
    expect(bench.stderr()).not.toContain('Error');
    expect(code).toBe(0);
    const { tables, singles } = JSON.parse(readFileSync(join(temp.path, 'benchmarks.json'), 'utf8'));
    const [{ rows, ways }] = tables;
    expect(ways).toEqual(['direct', 'ssh -L', 'ssh -L, aes128-gcm', 'fleet-mesh']);
    expect(rows).toHaveLength(7);
    for (const { series } of rows) expect(series['fleet-mesh'][0]).toBeGreaterThan(0);
    expect(singles).toContainEqual({ title: '300 open connections: missing', value: 0, goal: 0 });
    expect(readFileSync(join(temp.path, 'images/benchmarks-loopback.svg'), 'utf8')).toContain('<svg');
  },
);
