import { describe, expect, it } from 'vitest';
import { runCli } from '../../support/daemon/daemon.ts';
import { startMesh } from '../../support/daemon/mesh.ts';
import { has } from '../../support/machine/capabilities.ts';
import { freePort } from '../../support/peers/loopback.ts';
import { startSshd } from '../../support/peers/real-sshd.ts';
import { startEcho } from '../../support/peers/targets.ts';

describe.skipIf(!has('sshd'))('listeners beyond loopback', () => {
  it('are warned of by `check` and by an advisory, and a dynamic one needs allow_remote', async () => {
    await using sshd = await startSshd();
    await using echo = await startEcho();
    const [wide, proxy, far] = [await freePort(), await freePort(), await freePort()];
    const tunnels = (allow_remote?: boolean) => ({
      wide: { target: echo.port, listen: `0.0.0.0:${wide}` },
      proxy: { direction: 'dynamic', allow: ['*:*'], listen: `0.0.0.0:${proxy}`, allow_remote },
      far: { direction: 'remote', target: echo.port, listen: `0.0.0.0:${far}` },
      inner: { target: echo.port },
    });
    await using mesh = await startMesh({ sshd, tunnels: tunnels(true) });
    const { advisories } = await mesh.waitFor(
      (status) => status.tunnels.find(({ name }) => name === 'wide')?.state === 'up',
    );
    const exposed = advisories.filter(({ code }) => code === 'listener_exposed').map(({ message }) => message);
    expect(exposed).toEqual([
      expect.stringContaining(`through tunnel wide: the listener 0.0.0.0:${wide} is not on loopback`),
      expect.stringContaining(`connections from coulombcore through the proxy proxy`),
      expect.stringContaining(`0.0.0.0:${far} on coulombcore`),
    ]);
    const config = ['--config', mesh.configFile];
    const checked = await runCli(['check', ...config]);
    expect(checked.code).toBe(0);
    for (const name of ['wide', 'proxy', 'far'])
      expect(checked.stderr).toMatch(
        new RegExp(`tunnels\\.yaml:\\d+:\\d+: warning: tunnels\\.${name}\\.listen: other machines`),
      );
    expect(checked.stderr).not.toContain('inner');

    await mesh.write({ tunnels: tunnels(undefined) });
    const refused = await runCli(['check', ...config]);
    expect(refused.code).toBe(78);
    expect(refused.stderr).toMatch(/tunnels\.proxy\.listen: other machines can use the proxy .*allow_remote: true/);
    expect(refused.stderr).toContain('1 problem\n');
    expect((await runCli(['reload', ...config])).code).toBe(78);
  });
});
