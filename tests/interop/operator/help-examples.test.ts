import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { splitCommand } from '../../../src/config/command-line.ts';
import { leavesOf, outlineOf } from '../../../src/operator/commands/completion/outline.ts';
import { type Mesh, startMesh } from '../../support/daemon/mesh.ts';
import { REAL_PLAN } from '../../support/fakes/plan-fixture.ts';
import { has } from '../../support/machine/capabilities.ts';
import { type TempDir, tempDir } from '../../support/machine/temp-dir.ts';
import type { LoopbackServer } from '../../support/peers/loopback.ts';
import { type Sshd, startSshd } from '../../support/peers/real-sshd.ts';
import { startEcho } from '../../support/peers/targets.ts';

/** Examples that change the machine or end only when a person ends them: their words are parsed, and no more. */
const ONLY_PARSED = /^(?:run|install|uninstall)\b|--watch|--follow|--wait /;

const UNIT = '[Service]\nExecStart=/usr/bin/ssh -N -L 15432:10.0.0.12:5432 fleet@bastion\n';

describe.skipIf(!has('sshd'))('each example of `--help`', () => {
  let home: TempDir;
  let sshd: Sshd;
  let echo: LoopbackServer;
  let mesh: Mesh;
  const before = { cwd: process.cwd(), env: { ...process.env } };

  beforeAll(async () => {
    home = tempDir('examples');
    [sshd, echo] = await Promise.all([startSshd(), startEcho()]);
    const successor = { target: `127.0.0.1:${echo.port}`, probe: { tcp: {} }, hold: '100ms', verify_for: '100ms' };
    const target = echo.port;
    const tunnels = { db: { target, production: true, drain: { successor } }, cache: { target }, web: { target } };
    writeFileSync(join(sshd.directory, 'drain-plan.yaml'), REAL_PLAN);
    const hosts = { workstation: { address: '127.0.0.1', role: 'workstation' } };
    mesh = await startMesh({ sshd, tunnels, hosts, extra: { plan: 'drain-plan.yaml' } });
    await mesh.waitFor((status) => status.tunnels.every(({ state }) => state === 'up'));
    for (const directory of ['.ssh', '.config/systemd/user', '.config/bridge'])
      mkdirSync(join(home.path, directory), { recursive: true });
    for (const file of ['.ssh/atm-web', 'config'])
      writeFileSync(join(home.path, file), file === 'config' ? 'Host bastion db\n  LocalForward 1 a:2\n' : '');
    writeFileSync(join(home.path, '.config/systemd/user/db-tunnel.service'), UNIT);
    for (const file of ['.config/bridge/tunnels.yaml', 'tunnels.yaml'])
      copyFileSync(mesh.configFile, join(home.path, file));
    writeFileSync(join(home.path, 'drain-plan.yaml'), REAL_PLAN);
    process.chdir(home.path);
    Object.assign(process.env, { HOME: home.path, FLEET_MESH_CONFIG: mesh.configFile });
  });
  afterAll(async () => {
    process.chdir(before.cwd);
    process.env = before.env;
    await mesh[Symbol.asyncDispose]();
    await echo.stop();
    await sshd[Symbol.asyncDispose]();
    home[Symbol.dispose]();
  });

  /** The words as the shell of the example gives them to the program, with files of this test. */
  function wordsOf(line: string): readonly string[] {
    const words = splitCommand(line.replace(/ > \S+$/, ''), home.path);
    if ('fault' in words) throw new Error(`${line}: ${words.fault}`);
    return words.map((word) =>
      word
        .replace(/^\/etc\/systemd\/system\//, `${home.path}/.config/systemd/user/`)
        .replace('*.service', 'db-tunnel.service'),
    );
  }

  it('is understood by the running daemon, or by the files', async () => {
    process.setMaxListeners(100);
    process.stdout.setMaxListeners(100);
    // After the environment is set: the default of --config is read from it.
    const { main, program } = await import('../../../src/program.ts');
    const told: string[] = [];
    for (const stream of [process.stdout, process.stderr])
      vi.spyOn(stream, 'write').mockImplementation((text) => told.push(String(text)) > 0);
    const lines = leavesOf(outlineOf(program)).flatMap(([, { examples }]) => examples.map(([line]) => line));
    const wrong: string[] = [];
    for (const line of lines.toSorted((a, b) => Number(ONLY_PARSED.test(a)) - Number(ONLY_PARSED.test(b)))) {
      told.length = 0;
      const words = wordsOf(line);
      if (ONLY_PARSED.test(line)) {
        const [first, second] = words;
        const outer = program.commands.find((command) => command.name() === first);
        (outer?.commands.find((command) => command.name() === second) ?? outer)?.action(() => {});
      }
      const code = await main(['node', 'fleet-mesh', ...words]);
      const isBug = told.some((text) => text.includes('internal error'));
      // 4 no such name, 64 usage, 78 configuration.
      if (isBug || [4, 64, 78].includes(code)) wrong.push(`${line}: ${code}: ${told.join('').slice(0, 500)}`);
    }
    expect(wrong).toEqual([]);
    expect(lines.length).toBeGreaterThan(50);
  });
});
