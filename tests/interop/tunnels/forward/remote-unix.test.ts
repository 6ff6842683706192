import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { hasSessions, startMesh, tunnelOf } from '../../../support/daemon/mesh.ts';
import { has } from '../../../support/machine/capabilities.ts';
import { tempDir } from '../../../support/machine/temp-dir.ts';
import { startSshd } from '../../../support/peers/real-sshd.ts';
import { startEcho } from '../../../support/peers/targets.ts';
import { waitUntil } from '../../../support/wait-until.ts';

const UNLINK = ['StreamLocalBindUnlink yes'];

/** What comes back through a socket on the far side. */
async function say(path: string, text: string): Promise<string> {
  const socket = connect({ path });
  try {
    await once(socket, 'connect');
    socket.write(text);
    const [answer] = await once(socket, 'data', { signal: AbortSignal.timeout(3_000) });
    return String(answer);
  } finally {
    socket.destroy();
  }
}

const answers = (path: string) =>
  say(path, 'hello').then(
    (answer) => answer === 'hello',
    () => false,
  );

describe.skipIf(!has('sshd'))('a remote tunnel that listens on a Unix socket of the host', { concurrent: true }, () => {
  it('proves a remote Unix socket, binds it again after a killed session, and moves it at a reload', async () => {
    using temp = tempDir('far-unix');
    const path = join(temp.path, 'back.sock');
    await using sshd = await startSshd({ extraConfig: UNLINK });
    await using echo = await startEcho();
    const back = { direction: 'remote', listen: `unix:${path}`, target: echo.port, probe: { tcp: {}, every: '500ms' } };
    await using mesh = await startMesh({ sshd, tunnels: { back } });
    await mesh.waitForTunnel('up');
    await mesh.waitFor(hasSessions(2));
    expect(await say(path, 'hello')).toBe('hello');
    expect(tunnelOf(await mesh.daemon.status(), 'back').usage).toMatchObject({ opened_total: 1, bytes_to_target: 5 });

    sshd.killSessions();
    await waitUntil('it is bound again', () => answers(path), 10_000);
    await mesh.waitForTunnel('up');

    const moved = join(temp.path, 'moved.sock');
    await mesh.write({ tunnels: { back: { ...back, listen: `unix:${moved}` } } });
    await mesh.reload();
    await waitUntil('it has moved', () => answers(moved), 10_000);
    await mesh.waitForTunnel('up');
    expect(await answers(path)).toBe(false);
  });

  it('reports an old socket that sshd left behind and that blocks the new one', async () => {
    using temp = tempDir('far-unix');
    const path = join(temp.path, 'back.sock');
    await using sshd = await startSshd();
    await using echo = await startEcho();
    const back = { direction: 'remote', listen: `unix:${path}`, target: echo.port };
    await using mesh = await startMesh({ sshd, tunnels: { back } });
    await mesh.waitForTunnel('up');
    sshd.killSessions();
    const status = await mesh.waitFor(
      (each) =>
        tunnelOf(each, 'back').state === 'down' &&
        tunnelOf(each, 'back').last_error?.code.startsWith('remote_') === true,
    );
    expect(tunnelOf(status, 'back').last_error?.hint).toContain('StreamLocalBindUnlink yes');
  });
});
