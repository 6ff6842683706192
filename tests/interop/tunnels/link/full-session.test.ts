import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { echoOnce } from '../../../support/clients/steady-client.ts';
import { hasSessions, linkOf, startMesh } from '../../../support/daemon/mesh.ts';
import { has } from '../../../support/machine/capabilities.ts';
import { requireProgram } from '../../../support/machine/find-program.ts';
import { startSshd } from '../../../support/peers/real-sshd.ts';
import { startEcho } from '../../../support/peers/targets.ts';

describe.skipIf(!has('sshd') || !has('procfs'))('a session whose sshd has no free descriptor', () => {
  it('leaves new connections to the other session', async () => {
    await using sshd = await startSshd();
    await using echo = await startEcho();
    await using mesh = await startMesh({ sshd, tunnels: { echo: { target: echo.port } } });
    const { sessions: before } = linkOf(await mesh.waitFor(hasSessions(2)));
    // The oldest session is the active one.
    const pids = sshd.sessionPids().toSorted((one, other) => one - other);
    for (const pid of pids.slice(0, pids.length / 2)) {
      const open = readdirSync(`/proc/${pid}/fd`).length;
      execFileSync(requireProgram('prlimit'), ['--pid', `${pid}`, `--nofile=${open}`]);
    }
    const open = Array.from({ length: 3 }, () => echoOnce(mesh.port('echo')));
    await Promise.all(open);
    const status = await mesh.daemon.status();
    expect(linkOf(status).sessions.map(({ id }) => id)).toEqual(before.map(({ id }) => id));
    expect(status.tunnels[0]).toMatchObject({ state: 'up', usage: { failed_total: 0 } });
  });
});
