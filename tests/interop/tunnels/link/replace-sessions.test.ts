import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Status } from '../../../../src/telemetry/status/status.ts';
import { generateKey } from '../../../support/certificates/keys.ts';
import { openChatter } from '../../../support/clients/chatter.ts';
import { startSteadyClient } from '../../../support/clients/steady-client.ts';
import { hasSessions, linkOf, startMesh } from '../../../support/daemon/mesh.ts';
import { has } from '../../../support/machine/capabilities.ts';
import { startSshd } from '../../../support/peers/real-sshd.ts';
import { startEcho } from '../../../support/peers/targets.ts';
import { waitUntil } from '../../../support/wait-until.ts';

describe.skipIf(!has('sshd') || !has('ssh-keygen'))('a reload that changes a link', { concurrent: true }, () => {
  it.each(['key', 'known_hosts'])(
    'replaces sessions for another %s, each new one before the old one ends',
    async (what) => {
      await using sshd = await startSshd();
      await using echo = await startEcho();
      const second = generateKey(join(sshd.directory, 'second'));
      sshd.authorize(second.publicKey);
      const copy = join(sshd.directory, 'known_hosts_copy');
      copyFileSync(sshd.knownHostsFile, copy);
      await using mesh = await startMesh({ sshd, tunnels: { echo: { target: echo.port } } });
      const before = linkOf(await mesh.waitFor(hasSessions(2)));
      await using chatter = await openChatter(mesh.port('echo'));
      const client = startSteadyClient(mesh.port('echo'), 20);

      await mesh.write(what === 'key' ? { actor: { key: second.path } } : { host: { known_hosts: copy } });
      await mesh.reload();
      // Only the session with the long connection is left, and carries nothing else.
      await mesh.waitFor((status) => {
        const { sessions } = linkOf(status);
        const [first, ...others] = sessions.filter(({ id, role }) => id <= 2 || role === 'draining');
        const left = first?.role === 'draining' && first.id === before.sessions[0]?.id && first.connections === 1;
        return hasSessions(2)(status) && left && others.length === 0;
      });
      await chatter.say('over the old session');
      const served = client.served();
      await waitUntil('the steady client goes on', () => client.served() >= served + 20);
      expect((await client.stop()).failures).toEqual([]);

      await chatter.end();
      const after = linkOf(await mesh.waitFor((status) => linkOf(status).sessions.length === 2));
      expect(after.sessions.map(({ id }) => id)).toEqual([3, 4]);
      if (what === 'key') expect(after.credential.fingerprint).toBe(second.fingerprint);
    },
  );

  it('makes more or fewer sessions without touching a connection', async () => {
    await using sshd = await startSshd();
    await using echo = await startEcho();
    await using mesh = await startMesh({ sshd, host: { sessions: 1 }, tunnels: { echo: { target: echo.port } } });
    await mesh.waitFor(hasSessions(1));
    await using chatter = await openChatter(mesh.port('echo'));
    await mesh.write({ host: { sessions: 3 } });
    await mesh.reload();
    await mesh.waitFor(hasSessions(3));
    await chatter.say('more');
    await mesh.write({ host: { sessions: 1 } });
    await mesh.reload();
    const { sessions } = linkOf(await mesh.waitFor((status) => linkOf(status).sessions.length === 1));
    expect(sessions).toMatchObject([{ id: 1, role: 'active', connections: 1 }]);
    await chatter.say('fewer');
  });

  it('keeps the old sessions when the new settings fail', async () => {
    await using sshd = await startSshd();
    await using echo = await startEcho();
    const stranger = generateKey(join(sshd.directory, 'stranger'));
    await using mesh = await startMesh({ sshd, tunnels: { echo: { target: echo.port } } });
    await mesh.waitFor(hasSessions(2));
    await using chatter = await openChatter(mesh.port('echo'));
    await mesh.write({ actor: { key: stranger.path } });
    await mesh.reload();
    await mesh.waitFor((status) => linkOf(status).last_error?.code === 'auth_rejected');
    await chatter.say('the old sessions serve');
    const client = startSteadyClient(mesh.port('echo'), 20);
    await waitUntil('new connections are served', () => client.served() >= 5);
    expect((await client.stop()).failures).toEqual([]);
    expect((await mesh.waitForTunnel('up')).usage.failed_total).toBe(0);
  });
});

/** OpenSSH 9.2 came with the setting. */
const ENDS_UNUSED = 'UnusedConnectionTimeout 5';

describe.skipIf(!has('sshd'))('a server that ends unused sessions', { concurrent: true }, () => {
  it('is named, and takes no tunnel down once its time limit is known', async () => {
    await using sshd = await startSshd({ extraConfig: [ENDS_UNUSED] });
    await using echo = await startEcho();
    const tunnels = { echo: { target: echo.port, production: true }, far: { direction: 'remote', target: echo.port } };
    await using mesh = await startMesh({ sshd, tunnels });
    const ended = () => mesh.daemon.records().filter(({ event }) => event === 'session.ended');
    const named = () => ended().findIndex(({ msg }) => /had carried nothing for [5-7] s/.test(String(msg)));
    await waitUntil('the limit is known', () => named() !== -1, 60_000);
    // Of the ends that follow, each has its own error: the one that the limit explains is waited for.
    const explained = (status: Status) => linkOf(status).last_error?.hint.includes('UnusedConnectionTimeout');
    const isUp = (status: Status) => hasSessions(2)(status) && status.state === 'up';
    const { sessions, last_error } = linkOf(await mesh.waitFor((status) => isUp(status) && explained(status) === true));
    expect(last_error?.code).toBe('connection_reset');

    const before = mesh.daemon.records().length;
    const newest = Math.max(...sessions.map(({ id }) => id));
    await mesh.waitFor((status) => linkOf(status).sessions.every(({ id }) => id > newest + 1), 60_000);
    const since = mesh.daemon.records().slice(before);
    expect(since.filter(({ event, level }) => event === 'tunnel.state' || level === 'warn')).toEqual([]);
    expect(since.filter(({ event }) => event === 'session.ended').length).toBeGreaterThan(1);
    expect(await mesh.metric('link_replacement_failing')).toBe(0);
  });
});
