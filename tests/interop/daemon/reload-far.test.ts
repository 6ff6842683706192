import { describe, expect, it } from 'vitest';
import { echoOnce } from '../../support/clients/steady-client.ts';
import { findTunnel, hasSessions, startMesh, tunnelOf } from '../../support/daemon/mesh.ts';
import { has } from '../../support/machine/capabilities.ts';
import { signal } from '../../support/machine/proc.ts';
import { patient } from '../../support/patience.ts';
import { freePort } from '../../support/peers/loopback.ts';
import { startSshd } from '../../support/peers/real-sshd.ts';
import { startEcho } from '../../support/peers/targets.ts';
import { waitUntil } from '../../support/wait-until.ts';

describe.skipIf(!has('sshd') || !has('ssh-keygen'))('a reload and the far side', () => {
  it('delays only the tunnels of a host that does not answer', async () => {
    await using sshd = await startSshd();
    await using silent = await startSshd();
    await using echo = await startEcho();
    const hosts = {
      silent: {
        address: '127.0.0.1',
        port: silent.port,
        user: silent.user,
        known_hosts: silent.knownHostsFile,
        // Only the reload bounds the wait.
        keepalive: { every: '1m', lost_after: 3 },
      },
    };
    const actors = { 'atm-silent': { key: silent.clientKeyFile } };
    const far = { host: 'silent', actor: 'atm-silent', direction: 'remote', target: echo.port };
    await using mesh = await startMesh({
      sshd,
      hosts,
      actors,
      tunnels: { near: { target: echo.port }, back: { ...far, listen: await freePort() } },
    });
    await mesh.waitForTunnel('up', 'back');
    await mesh.waitFor(hasSessions(2));
    const stopped = silent.sessionPids();
    for (const pid of stopped) signal(pid, 'SIGSTOP');
    try {
      await mesh.write({
        tunnels: {
          near: { target: echo.port },
          back: { ...far, listen: await freePort() },
          added: { target: echo.port },
        },
      });
      const since = performance.now();
      mesh.daemon.signal('SIGHUP');
      await mesh.waitForTunnel('up', 'added');
      expect(performance.now() - since).toBeLessThan(patient(1_500));
      await mesh.waitFor(({ config }) => config.last_reload?.ok === true, 10_000);
    } finally {
      for (const pid of stopped) signal(pid, 'SIGCONT');
    }
    await mesh.waitForTunnel('up', 'back', 15_000);
  });

  it('replaces sessions to a host that forbade something, because sshd applies changed rules only to new sessions', async () => {
    const forbidding = ['PermitListen none', 'PermitOpen 127.0.0.1:1'];
    await using sshd = await startSshd({ extraConfig: forbidding });
    await using echo = await startEcho();
    await using mesh = await startMesh({
      sshd,
      tunnels: {
        back: { direction: 'remote', target: echo.port },
        there: { target: echo.port, probe: { tcp: {}, every: '500ms' } },
      },
    });
    const denied = (name: string, code: string) =>
      mesh.waitFor((status) => findTunnel(status, name)?.last_error?.code === code);
    await denied('back', 'remote_listen_denied');
    await denied('there', 'forward_denied');
    await mesh.waitFor(hasSessions(2));

    // sshd does not change existing sessions.
    await sshd.stop({ keepSessions: true });
    await sshd.restart({ extraConfig: [] });
    const status = await mesh.reload();
    expect(status.config.last_reload).toMatchObject({ ok: true });
    await mesh.waitForTunnel('up', 'back');
    await mesh.waitForTunnel('up', 'there');
    await echoOnce(mesh.port('back'));
    await echoOnce(mesh.port('there'));
    await waitUntil('the old sessions have ended', async () => hasSessions(2)(await mesh.daemon.status()));
  });

  it('replaces sessions to a jump host that forbade the connection to the next host', async () => {
    await using bastion = await startSshd({ extraConfig: ['AllowTcpForwarding no'] });
    await using inner = await startSshd();
    await using echo = await startEcho();
    bastion.authorize(inner.clientKey.publicKey);
    await using mesh = await startMesh({
      sshd: inner,
      host: { jump: 'bastion' },
      hosts: {
        bastion: {
          address: '127.0.0.1',
          port: bastion.port,
          user: bastion.user,
          known_hosts: bastion.knownHostsFile,
        },
      },
      tunnels: { there: { target: echo.port } },
    });
    await mesh.waitFor((status) => findTunnel(status, 'there')?.last_error?.code === 'forward_denied');
    await bastion.stop({ keepSessions: true });
    await bastion.restart({ extraConfig: [] });
    await mesh.reload();
    await mesh.waitForTunnel('up', 'there');
    await echoOnce(mesh.port('there'));
  });

  it('retries a remote address in use at once', async () => {
    await using sshd = await startSshd();
    await using echo = await startEcho();
    const other = await startEcho();
    await using mesh = await startMesh({
      sshd,
      tunnels: { back: { direction: 'remote', target: echo.port, listen: other.port } },
    });
    await mesh.waitFor((each) => findTunnel(each, 'back')?.last_error?.code === 'remote_listen_in_use');
    // A check follows each rejected request, and a request follows each new session.
    await mesh.waitFor(hasSessions(2));
    await waitUntil('both have been tried', () => other.accepted() >= 2);
    await other.stop();
    await mesh.reload();
    await mesh.waitForTunnel('up', 'back', 3_000);
    expect(tunnelOf(await mesh.daemon.status(), 'back').last_error).toBeNull();
  });
});
