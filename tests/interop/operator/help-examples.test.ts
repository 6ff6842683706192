import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { splitCommand } from '../../../src/config/command-line.ts';
import { leavesOf, outlineOf } from '../../../src/operator/commands/completion/outline.ts';
import { program } from '../../../src/program.ts';
import type { Example, Outcome } from '../../support/daemon/examples-child.ts';
import { startMesh } from '../../support/daemon/mesh.ts';
import { REAL_PLAN } from '../../support/fakes/plan-fixture.ts';
import { has } from '../../support/machine/capabilities.ts';
import { spawnOwned } from '../../support/machine/owned-process.ts';
import { tempDir } from '../../support/machine/temp-dir.ts';
import { startSshd } from '../../support/peers/real-sshd.ts';
import { startEcho } from '../../support/peers/targets.ts';

/** Examples that change the machine, or that end only when a person ends them. */
const ONLY_PARSED = /^(?:run|install|uninstall)\b|--watch|--follow|--wait /;

const UNIT = '[Service]\nExecStart=/usr/bin/ssh -N -L 15432:10.0.0.12:5432 fleet@bastion\n';
const SSH_CONFIG = 'Host bastion db\n  HostName 127.0.0.1\n  LocalForward 15432 10.0.0.12:5432\n';

/** A home with the files that the examples name. */
function homeWith(configFile: string) {
  const home = tempDir('examples');
  const units = join(home.path, '.config/systemd/user');
  mkdirSync(units, { recursive: true });
  mkdirSync(join(home.path, '.config/bridge'));
  mkdirSync(join(home.path, '.ssh'));
  writeFileSync(join(home.path, '.ssh/atm-web'), '');
  writeFileSync(join(home.path, 'config'), SSH_CONFIG);
  writeFileSync(join(home.path, 'drain-plan.yaml'), REAL_PLAN);
  writeFileSync(join(units, 'db-tunnel.service'), UNIT);
  for (const file of ['.config/bridge/tunnels.yaml', 'tunnels.yaml']) copyFileSync(configFile, join(home.path, file));
  // The words as a shell gives them to the program.
  const exampleOf = (line: string): Example => {
    const words = splitCommand(line.replace(/ > \S+$/, ''), home.path);
    if ('fault' in words) throw new Error(`${line}: ${words.fault}`);
    const isOnlyParsed = ONLY_PARSED.test(line);
    const here = words.map((word) => word.replace(/^\/etc\/systemd\/system(?=\/)/, units));
    return { line, isOnlyParsed, words: here.map((word) => word.replace('*.service', 'db-tunnel.service')) };
  };
  return { path: home.path, exampleOf, [Symbol.dispose]: () => home[Symbol.dispose]() };
}

it.skipIf(!has('sshd'))('runs each example of `--help` with a daemon of these names', async () => {
  await using sshd = await startSshd();
  await using echo = await startEcho();
  const successor = { target: `127.0.0.1:${echo.port}`, probe: { tcp: {} }, hold: '100ms', verify_for: '1s' };
  const [target, drain] = [echo.port, { step: '2.4', successor }];
  // The plan freezes the usual host of these tests.
  writeFileSync(join(sshd.directory, 'plan.yaml'), String(REAL_PLAN).replace(/^ {2}coulombcore:/m, '  elsewhere:'));
  await using mesh = await startMesh({
    sshd,
    tunnels: { db: { target, production: true, drain }, cache: { target }, web: { target } },
    hosts: { workstation: { address: '127.0.0.1', role: 'workstation' } },
    extra: { plan: 'plan.yaml' },
  });
  await mesh.waitFor((status) => status.tunnels.every(({ state }) => state === 'up'));
  using home = homeWith(mesh.configFile);
  const lines = leavesOf(outlineOf(program)).flatMap(([, { examples }]) => examples.map(([line]) => line));
  expect(lines.length).toBeGreaterThan(50);
  const child = join(import.meta.dirname, '../../support/daemon/examples-child.ts');
  const tsx = import.meta.resolve('tsx');
  await using run = spawnOwned(process.execPath, ['--import', tsx, child, JSON.stringify(lines.map(home.exampleOf))], {
    cwd: home.path,
    env: { ...process.env, HOME: home.path, FLEET_MESH_CONFIG: mesh.configFile },
  });
  await run.exit;
  const outcomes: readonly Outcome[] = JSON.parse(run.stdout());
  expect(outcomes).toHaveLength(lines.length);
  // 4 no such name, 64 usage, 78 configuration.
  const wrong = outcomes.filter(({ code, told }) => [4, 64, 78].includes(code) || told.includes('internal error'));
  expect(wrong).toEqual([]);
});
