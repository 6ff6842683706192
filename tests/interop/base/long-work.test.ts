import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import type * as Load from '../../../src/config/load.ts';
import type * as LoadPlan from '../../../src/retirement/plan/load.ts';
import type * as KeyFile from '../../../src/tunnels/credential/key-file.ts';
import { LoopGap } from '../../support/loop-gap.ts';
import { has } from '../../support/machine/capabilities.ts';
import { type TempDir, tempDir } from '../../support/machine/temp-dir.ts';
import { patient } from '../../support/patience.ts';

const LINES = 10_000;

/** A module of the built program: only JavaScript can run in a thread of every Node. */
const built = <Module>(path: string): Promise<Module> => import(new URL(`../../../dist/${path}`, import.meta.url).href);

/** The result, and the longest time for which the event loop stood still, in milliseconds. */
async function watched<Result>(work: () => Promise<Result>): Promise<{ result: Result; longestMs: number }> {
  const gap = new LoopGap();
  const result = await work();
  return { result, longestMs: gap.stop() };
}

describe('the event loop', () => {
  let temp: TempDir;
  beforeEach(() => {
    temp = tempDir('long-work');
  });
  afterEach(() => temp[Symbol.dispose]());

  const write = (name: string, content: unknown) => {
    const path = join(temp.path, name);
    const text = stringify(content, { aliasDuplicateObjects: false });
    expect(text.split('\n').length).toBeGreaterThan(LINES);
    writeFileSync(path, text);
    return path;
  };
  const fleet = (user: unknown) => {
    const host = { address: '192.0.2.1', user, role: 'experimental', known_hosts: '~/.ssh/known_hosts' };
    const spare = Array.from({ length: LINES / 5 }, (_, index) => [`spare${index}`, host]);
    return { version: 1, node: 'here', hosts: { here: { address: '127.0.0.1' }, ...Object.fromEntries(spare) } };
  };

  it('goes on while a tunnel YAML of 10,000 lines is read', async () => {
    const { loadConfig } = await built<typeof Load>('config/load.js');
    const path = write('tunnels.yaml', { ...fleet('nobody'), actors: {}, tunnels: {} });
    const { result, longestMs } = await watched(() => loadConfig(path, process.env));
    expect(result.hosts.size).toBe(LINES / 5 + 1);
    expect(longestMs).toBeLessThan(patient(20));
  });

  it('goes on while the problems of a tunnel YAML of 10,000 lines are found', async () => {
    const { loadConfig } = await built<typeof Load>('config/load.js');
    const path = write('tunnels.yaml', { ...fleet(['not', 'a', 'name']), actors: {}, tunnels: {} });
    const { result, longestMs } = await watched(() => loadConfig(path, process.env).catch((error: unknown) => error));
    expect(result).toMatchObject({ name: 'ConfigError', problems: expect.arrayContaining([expect.anything()]) });
    expect(longestMs).toBeLessThan(patient(20));
  });

  it('goes on while a plan of 10,000 lines is read', async () => {
    const { loadPlan } = await built<typeof LoadPlan>('retirement/plan/load.js');
    const step = { action: 'something', done_when: 'done', done: { at: '2026-07-20T10:00:00Z', evidence: 'seen' } };
    const steps = Array.from({ length: LINES / 5 }, (_, index) => ({ id: `1.${index}`, ...step }));
    const path = write('plan.yaml', {
      version: 1,
      gates: [],
      waves: [{ id: 1, title: 'one', requires: [], steps }],
      workloads: [],
      exceptions: [],
    });
    const { result, longestMs } = await watched(() => loadPlan(path));
    expect(result.waves[0]?.steps).toHaveLength(LINES / 5);
    expect(longestMs).toBeLessThan(patient(20));
  });

  it.skipIf(!has('ssh-keygen'))('goes on while an encrypted key is opened, once for six links', async () => {
    const { loadKeyFile } = await built<typeof KeyFile>('tunnels/credential/key-file.js');
    const path = join(temp.path, 'key');
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-a', '16', '-N', 'secret', '-C', '', '-f', path]);
    const passphrase = join(temp.path, 'passphrase');
    writeFileSync(passphrase, 'secret', { mode: 0o600 });
    const { result, longestMs } = await watched(() =>
      Promise.all(Array.from({ length: 6 }, () => loadKeyFile(path, passphrase))),
    );
    expect(new Set(result).size).toBe(1);
    expect(longestMs).toBeLessThan(patient(20));
  });
});
