import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { echoOnce } from '../../support/clients/steady-client.ts';
import { hasSessions, linkOf, startMesh } from '../../support/daemon/mesh.ts';
import { has } from '../../support/machine/capabilities.ts';
import { startSshd } from '../../support/peers/real-sshd.ts';
import { startEcho } from '../../support/peers/targets.ts';

describe.skipIf(!has('sshd'))('the log of the daemon', { concurrent: true }, () => {
  it('has one line per transition and none for repetitions', async () => {
    await using sshd = await startSshd();
    await using echo = await startEcho();
    await using mesh = await startMesh({ sshd, tunnels: { echo: { target: echo.port } } });
    await mesh.waitFor(hasSessions(2));
    await mesh.waitForTunnel('up');
    await sshd.stop();
    await mesh.waitFor((status) => linkOf(status).attempts >= 4);
    await sshd.restart();
    await mesh.waitFor(hasSessions(2), 30_000);
    await mesh.waitForTunnel('up');

    const records = mesh.daemon.records();
    expect(mesh.daemon.log().trim().split('\n')).toHaveLength(records.length);
    expect(records.every(({ event, level, msg, time }) => event && level && msg && time)).toBe(true);
    const of = (name: string) => records.filter(({ event }) => event === name);
    expect(of('tunnel.state').map(({ from, to }) => `${from} ${to}`)).toEqual(['down up', 'up down', 'down up']);
    // A busy machine opens a spare session beside the two.
    const numbers = (name: string) => of(name).map(({ session }) => session);
    expect(numbers('session.up').length).toBeGreaterThanOrEqual(4);
    expect(new Set(numbers('session.up')).size).toBe(numbers('session.up').length);
    expect(numbers('session.lost').length).toBeGreaterThanOrEqual(2);
    expect(new Set(numbers('session.lost')).size).toBe(numbers('session.lost').length);
    // Many attempts were rejected: one line reports them. An attempt may also have met the sshd that was ending.
    const failed = of('link.attempt_failed');
    expect(failed.at(-1)).toMatchObject({ level: 'warn', err: { code: 'connect_refused' } });
    expect(new Set(failed.map(({ msg }) => msg)).size).toBe(failed.length);
    expect(failed.length).toBeLessThanOrEqual(2);
  });

  it('shows no key and no passphrase at level trace, and neither do status, metrics and table', async () => {
    await using sshd = await startSshd({ clientKey: { passphrase: 'a very secret passphrase' } });
    await using echo = await startEcho();
    const passphraseFile = join(sshd.directory, 'passphrase');
    writeFileSync(passphraseFile, 'a very secret passphrase\n', { mode: 0o600 });
    await using mesh = await startMesh({
      sshd,
      actor: { passphrase_file: passphraseFile },
      tunnels: { echo: { target: echo.port } },
      extra: { log: { level: 'trace' } },
    });
    await mesh.waitFor(hasSessions(2));
    await echoOnce(mesh.port('echo'));
    writeFileSync(passphraseFile, 'not the right one\n');
    sshd.killSessions();
    await mesh.waitFor((status) => linkOf(status).last_error?.code === 'key_unreadable');

    const pages = await Promise.all(
      ['/status', '/status?format=text', '/metrics'].map((path) => mesh.daemon.get(path, { accept: '*/*' })),
    );
    const shown = [mesh.daemon.log(), ...pages.map(({ body }) => body)].join('\n');
    const keyLines = readFileSync(sshd.clientKeyFile, 'utf8').trim().split('\n').slice(1, -1);
    expect(keyLines.length).toBeGreaterThan(3);
    for (const secret of [...keyLines, 'a very secret passphrase', 'not the right one', 'PRIVATE KEY']) {
      expect(shown).not.toContain(secret);
    }
  });

  it('has journald priorities if standard error is the journal', async () => {
    await using sshd = await startSshd();
    const blocked = { sshd, actor: { key: join(sshd.directory, 'missing') }, tunnels: { echo: { target: sshd.port } } };
    await using plain = await startMesh(blocked);
    await plain.waitFor((status) => linkOf(status).state === 'blocked');
    expect(plain.daemon.log()).toMatch(/^\{/);
    await plain.daemon.stop();

    // An ancestor set the variable for its own standard error, not for ours.
    await using inherited = await startMesh({ ...blocked, env: { JOURNAL_STREAM: '8:4711' } });
    await inherited.waitFor((status) => linkOf(status).state === 'blocked');
    expect(inherited.daemon.log()).toMatch(/^\{/);
    await inherited.daemon.stop();

    // As systemd does: device and inode of the stream (systemd.exec(5)).
    const journal = 'JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2) exec "$0" "$@"';
    await using mesh = await startMesh({ ...blocked, wrapper: ['/bin/sh', '-c', journal] });
    await mesh.waitFor((status) => linkOf(status).state === 'blocked');
    const lines = mesh.daemon.log().trim().split('\n');
    expect(lines.every((line) => /^<[2-7]>\{/.test(line))).toBe(true);
    expect(lines.find((line) => line.includes('"daemon.started"'))).toMatch(/^<6>/);
    expect(lines.find((line) => line.includes('"link.attempt_failed"'))).toMatch(/^<4>/);
  });
});
