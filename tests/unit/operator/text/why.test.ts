import { describe, expect, it } from 'vitest';
import { statusText } from '../../../../src/operator/text/status.ts';
import { whyJson, whyText } from '../../../../src/operator/text/why.ts';
import { ago, linkFixture, statusFixture, tunnelFixture } from '../../../support/fakes/status-fixture.ts';

const refused = { code: 'connect_refused', message: 'core port 22 refused', hint: 'Check sshd.', at: ago(20) } as const;

describe(whyText, () => {
  it('explains a down tunnel: first the cause, then the fix and the next step', () => {
    const link = linkFixture({
      state: 'backoff',
      attempts: 4,
      next_attempt_at: ago(-12),
      last_error: refused,
      sessions: [],
    });
    const tunnel = tunnelFixture({
      state: 'down',
      since: ago(3_600),
      reason: 'no SSH session: refused',
      last_error: refused,
    });
    const lines = whyText(tunnel, statusFixture({ tunnels: [tunnel], links: [link] })).split('\n');
    expect(lines.slice(0, 4)).toEqual([
      'state-hub (production) is down since 2026-11-21T11:00:00Z (1h)',
      '  why:        no SSH session: refused [connect_refused]',
      '  fix:        Check sshd.',
      '  next:       connects again in 12s (4 attempts failed)',
    ]);
    expect(lines.join('\n')).toContain('coulombcore as atm-fleet-mesh is backoff, no session');
    expect(lines).toContain('  credential: static key SHA256:key');
  });

  it('names both causes when the port is in use and the link is down', () => {
    const link = linkFixture({ state: 'blocked', last_error: refused, next_attempt_at: null, sessions: [] });
    const taken = { code: 'listen_in_use', message: '127.0.0.1:1 is in use', hint: 'Stop it.', at: ago(9) } as const;
    const tunnel = tunnelFixture({ state: 'down', reason: taken.message, last_error: taken });
    const status = statusFixture({ tunnels: [tunnel], links: [link] });
    for (const text of [whyText(tunnel, status), statusText(status)]) {
      expect(text).toMatch(/why: +127\.0\.0\.1:1 is in use \[listen_in_use\]\n +fix: +Stop it\.\n/);
      expect(text).toMatch(/also: +core port 22 refused \[connect_refused\]\n +fix: +Check sshd\.\n/);
    }
    expect(whyJson(tunnel, status)).toMatchObject({ error: taken, also: refused });
  });

  it('explains why a tunnel is up, and dates old errors', () => {
    const tunnel = tunnelFixture({ last_error: refused });
    const text = whyText(tunnel, statusFixture({ tunnels: [tunnel] }));
    expect(text).toContain('the tunnel is up: the probe reached the target 4s ago');
    expect(text).toContain('last error: 20s ago: core port 22 refused [connect_refused]');
  });

  it('shows how to start a stopped tunnel, without unrelated errors', () => {
    const stopped = { state: 'stopped', reason: 'taken out of service', probe: null } as const;
    const tunnel = tunnelFixture({ ...stopped, last_error: refused });
    const text = whyText(tunnel, statusFixture({ tunnels: [tunnel], links: [] }));
    expect(text).toContain('why:        taken out of service\n  fix:        `fleet-mesh up state-hub`');
    expect(text).toContain('link:       none');
    // The file may well have a probe.
    expect(text).toContain('probe:      none while out of service');
  });

  it('lists the clients and their last use, without control characters', () => {
    const { usage } = tunnelFixture();
    const known = { process: 'cu\x1brl', pid: 12, uid: 0, unit: 'backup.service', pod: null, address: null };
    const unknown = { ...known, process: 'unknown', pid: null, uid: 998, unit: null };
    const tunnel = tunnelFixture({
      usage: {
        ...usage,
        clients: [
          { ...known, open: 2, last_seen_at: ago(0), connections_total: 3 },
          { ...unknown, open: 0, last_seen_at: ago(3_600), connections_total: 1 },
        ],
        other_clients: { open: 0, last_seen_at: ago(7_200), connections_total: 9 },
      },
    });
    const text = whyText(tunnel, statusFixture({ tunnels: [tunnel] }));
    const lines = [
      '  clients:    cu\\u001brl (pid 12, backup.service): 3 connections, 2 open now',
      '              unknown (uid 998): 1 connection, last seen 1h ago',
      '              other clients, not identified or from long ago: 9 connections, last seen 2h ago',
    ];
    expect(text).toContain(lines.join('\n'));
    const table = statusText(statusFixture({ tunnels: [tunnel] }), { clients: true });
    expect(table).toContain('CLIENTS\n  cu\\u001brl (pid 12, backup.service): 3 connections, 2 open now\n  unknown');
    expect(statusText(statusFixture({ tunnels: [tunnel] }))).not.toContain('CLIENTS');
  });

  it('explains a failing renewal with its fix, and shows restrictions of the CA', () => {
    const last_error = { code: 'cert_command_failed', message: 'exit code 2', hint: 'Run it.', at: ago(20) } as const;
    const credential = {
      ...linkFixture().credential,
      type: 'certificate',
      serial: '7',
      valid_before: ago(60),
      restrictions: ['force-command', 'source-address=192.0.2.0/24'],
      renewal: { state: 'expired', last_error },
    } as const;
    const status = statusFixture({
      links: [linkFixture({ credential: { ...credential, restrictions: [...credential.restrictions] } })],
    });
    expect(whyText(tunnelFixture(), status)).toContain(
      'expired 1m ago; restricted: force-command, source-address=192.0.2.0/24; not renewed: exit code 2 (Run it.)',
    );
  });

  it('shows a rejected reload, without control characters', () => {
    const tunnel = tunnelFixture({ state: 'down', reason: 'said \x1b[2J', last_error: null });
    const config = { ...statusFixture().config, last_reload: { ok: false, at: ago(60), error: 'f.yaml:3:1: no' } };
    const text = whyText(tunnel, statusFixture({ tunnels: [tunnel], config }));
    expect(text).toContain('REJECTED 1m ago');
    expect(text).not.toContain('\x1b');
  });
});

describe(whyJson, () => {
  it('returns the same facts as JSON', () => {
    const link = linkFixture({ state: 'backoff', next_attempt_at: ago(-12), last_error: refused });
    const tunnel = tunnelFixture({ state: 'down', reason: 'no session', last_error: refused });
    expect(whyJson(tunnel, statusFixture({ tunnels: [tunnel], links: [link] }))).toMatchObject({
      name: 'state-hub',
      state: 'down',
      reason: 'no session',
      error: refused,
      fix: 'Check sshd.',
      next_attempt_at: ago(-12),
      link: { state: 'backoff' },
    });
  });
});

const rejected = { code: 'auth_rejected', message: 'core rejected the key', hint: 'Check it.', at: ago(5) } as const;
const dying = linkFixture({
  next_attempt_at: ago(-40),
  replacement: { state: 'failing', since: ago(60), attempts: 1, last_error: rejected },
});

describe('a tunnel that is up over a link that cannot replace its sessions', () => {
  const cause =
    'the tunnel is up, but SSH sessions of atm-fleet-mesh to coulombcore cannot be replaced since 2026-11-21T11:59:00Z (1 attempt failed): core rejected the key [auth_rejected]';

  it('has a cause, a fix and a next step', () => {
    const lines = whyText(tunnelFixture(), statusFixture({ links: [dying] })).split('\n');
    expect(lines.slice(1, 4)).toEqual([
      `  why:        ${cause}`,
      '  fix:        Check it.',
      '  next:       connects again in 40s',
    ]);
    expect(lines.find((line) => line.startsWith('  link:'))).toMatch(/, replacement failing$/);
    expect(whyJson(tunnelFixture(), statusFixture({ links: [dying] }))).toMatchObject({
      state: 'up',
      reason: cause,
      error: { code: 'auth_rejected' },
      fix: 'Check it.',
    });
  });

  it('has the same through the link to its jump host', () => {
    const links = [linkFixture({ jump: 'bastion' }), { ...dying, host: 'bastion', actor: 'agt-bastion' }];
    expect(whyText(tunnelFixture(), statusFixture({ links }))).toContain(
      'why:        the tunnel is up, but SSH sessions of agt-bastion to bastion cannot be replaced since',
    );
  });
});
