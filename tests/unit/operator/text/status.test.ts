import { describe, expect, test } from 'vitest';
import type { ErrorReport } from '../../../../src/base/errors.ts';
import { statusText } from '../../../../src/operator/text/status.ts';
import type { LinkStatus } from '../../../../src/telemetry/status/status.ts';
import {
  ago,
  linkFixture,
  sessionFixture,
  statusFixture,
  tunnelFixture,
} from '../../../support/fakes/status-fixture.ts';

const refused: ErrorReport = {
  code: 'target_refused',
  message: '127.0.0.1:8765 on coulombcore refuses connections',
  hint: 'Check that the service behind the tunnel runs. The SSH host itself is reachable.',
  at: ago(60),
};

const issueCore = tunnelFixture({
  name: 'issue-core',
  listen: '127.0.0.1:18765',
  target: '127.0.0.1:8765',
  note: 'issue tracker',
});

const idle = { ...issueCore.usage, open: 0, bytes_to_target: 0, bytes_from_target: 999 };

describe('statusText', () => {
  test('shows for state up one line each for tunnel, link and session', () => {
    expect(statusText(statusFixture())).toBe(
      [
        'railiance01 is UP',
        'fleet-mesh 0.1.0, running for 2d 3h, config /etc/fleet-mesh/tunnels.yaml loaded 5m ago',
        '',
        'TUNNEL     STATE  SINCE  LISTEN -> TARGET                      PROBE           OPEN  HELD     SENT  RECEIVED  NOTE',
        'state-hub  up     2h     127.0.0.1:18000 -> 10.43.170.94:8000  passing 3.1 ms     2     0  1.5 KiB   3.0 GiB  State Hub',
        '',
        'LINK                           STATE  CREDENTIAL',
        'coulombcore as atm-fleet-mesh  up     static key',
        '  session 1 active: up 2h, 2 connections, rtt 0.8 ms, SSH-2.0-OpenSSH_9.2p1',
        '',
      ].join('\n'),
    );
  });

  test('shows the availability with the observed time, until a whole day was observed', () => {
    const lineOf = (seconds: number) => {
      const tunnel = tunnelFixture({ observed_since: ago(seconds), availability: { '24h': 0.9998 } });
      return statusText(statusFixture({ tunnels: [tunnel] })).split('\n')[4];
    };
    expect(lineOf(3 * 3_600)).toMatch(/ 99\.98 % of 3h /);
    expect(lineOf(86_400)).toMatch(/ 99\.98 % +\S/);
  });

  test('shows for a refusing target the reason and the fix, while the link stays up', () => {
    const degraded = tunnelFixture({
      ...issueCore,
      state: 'degraded',
      reason: 'the probe fails: 127.0.0.1:8765 on coulombcore refuses connections',
      since: ago(62),
      last_error: refused,
      probe: { state: 'failing', last_at: ago(2), latency_ms: null, consecutive_failures: 6, last_error: refused },
      usage: idle,
    });
    const status = statusFixture({
      state: 'degraded',
      reason: 'issue-core is degraded',
      tunnels: [tunnelFixture(), degraded],
    });
    expect(statusText(status)).toBe(
      [
        'railiance01 is DEGRADED: issue-core is degraded',
        'fleet-mesh 0.1.0, running for 2d 3h, config /etc/fleet-mesh/tunnels.yaml loaded 5m ago',
        '',
        'TUNNEL      STATE     SINCE  LISTEN -> TARGET                      PROBE           OPEN  HELD     SENT  RECEIVED  NOTE',
        'state-hub   up        2h     127.0.0.1:18000 -> 10.43.170.94:8000  passing 3.1 ms     2     0  1.5 KiB   3.0 GiB  State Hub',
        'issue-core  degraded  1m 2s  127.0.0.1:18765 -> 127.0.0.1:8765     failing 6x         0     0      0 B     999 B  issue tracker',
        '  why:  the probe fails: 127.0.0.1:8765 on coulombcore refuses connections [target_refused]',
        '  fix:  Check that the service behind the tunnel runs. The SSH host itself is reachable.',
        '',
        'LINK                           STATE  CREDENTIAL',
        'coulombcore as atm-fleet-mesh  up     static key',
        '  session 1 active: up 2h, 2 connections, rtt 0.8 ms, SSH-2.0-OpenSSH_9.2p1',
        '',
      ].join('\n'),
    );
  });

  test('shows for state down the reason of the link, the next attempt and a rejected reload', () => {
    const lost: ErrorReport = { code: 'keepalive_lost', message: 'no answer', hint: 'Check the network.', at: ago(9) };
    const status = statusFixture({
      state: 'down',
      reason: 'state-hub is down',
      config: {
        path: '/etc/fleet-mesh/tunnels.yaml',
        sha256: 'c0ffee',
        loaded_at: ago(86_400),
        last_reload: { ok: false, at: ago(30), error: '3 errors, first at line 4' },
      },
      tunnels: [
        tunnelFixture({
          state: 'down',
          since: ago(9),
          probe: { state: 'pending', last_at: null, latency_ms: null, consecutive_failures: 0, last_error: null },
          usage: { ...issueCore.usage, held: 3 },
          production: false,
        }),
      ],
      links: [
        linkFixture({ state: 'backoff', attempts: 2, next_attempt_at: ago(-12), last_error: lost, sessions: [] }),
      ],
    });
    expect(statusText(status)).toBe(
      [
        'railiance01 is DOWN: state-hub is down',
        'fleet-mesh 0.1.0, running for 2d 3h, config /etc/fleet-mesh/tunnels.yaml loaded 1d ago',
        'RELOAD REJECTED 30s ago; the previous configuration is still active: 3 errors, first at line 4',
        '',
        'TUNNEL     STATE  SINCE  LISTEN -> TARGET                      PROBE    OPEN  HELD     SENT  RECEIVED  NOTE',
        'state-hub  down   9s     127.0.0.1:18000 -> 10.43.170.94:8000  pending     2     3  1.5 KiB   3.0 GiB  (not production) State Hub',
        '  why:  no answer [keepalive_lost]',
        '  fix:  Check the network.',
        '  next: connects again in 12s (2 attempts failed)',
        '',
        'LINK                           STATE    CREDENTIAL',
        'coulombcore as atm-fleet-mesh  backoff  static key',
        '',
      ].join('\n'),
    );
  });

  test('says once that no tunnel is production, and keeps every note', () => {
    const one = tunnelFixture({ name: 'one', production: false, note: null });
    const two = tunnelFixture({ name: 'two', production: false, note: 'of the shop' });
    for (const columns of [undefined, 60]) {
      const text = statusText(statusFixture({ tunnels: [one, two] }), { columns });
      expect(text.match(/production/g)).toHaveLength(1);
      expect(text).toContain('(no tunnel is production)');
      expect(text).toContain('of the shop');
    }
    const mixed = statusText(statusFixture({ tunnels: [one, tunnelFixture()] }), { columns: 60 });
    expect(mixed).toContain('  note: (not production)');
  });

  test('shows for a blocked host key that no retry follows', () => {
    const changed: ErrorReport = {
      code: 'host_key_changed',
      message: 'coulombcore shows another host key than known_hosts has',
      hint: 'Find out why the host key changed before you edit known_hosts: an attack looks the same.',
      at: ago(20),
    };
    const status = statusFixture({
      state: 'down',
      reason: 'state-hub is down',
      tunnels: [tunnelFixture({ state: 'down', reason: changed.message, since: ago(20), last_error: changed })],
      links: [linkFixture({ state: 'blocked', attempts: 1, last_error: changed, sessions: [] })],
    });
    expect(statusText(status).split('\n').slice(4, 8)).toEqual([
      'state-hub  down   20s    127.0.0.1:18000 -> 10.43.170.94:8000  passing 3.1 ms     2     0  1.5 KiB   3.0 GiB  State Hub',
      '  why:  coulombcore shows another host key than known_hosts has [host_key_changed]',
      '  fix:  Find out why the host key changed before you edit known_hosts: an attack looks the same.',
      '  next: no retry: fix this first',
    ]);
  });

  test('shows no failure for a tunnel that was stopped on purpose', () => {
    const text = statusText(statusFixture({ tunnels: [tunnelFixture({ state: 'stopped' })] }));
    expect(text).not.toMatch(/why:|fix:|next:/);
  });

  test('shows the jump host of a host', () => {
    const text = statusText(statusFixture({ links: [linkFixture({ jump: 'bastion' })] }));
    expect(text).toContain('coulombcore as atm-fleet-mesh via bastion');
  });

  describe('an actor with cert_command', () => {
    const ok = { state: 'ok', last_error: null };
    const base = { ...linkFixture().credential, type: 'certificate', renewal: ok, renew_at: ago(-20) } as const;
    const held = { ...base, serial: '7', valid_before: ago(-50) } as const;
    const lines = (...credentials: Partial<LinkStatus['credential']>[]) => {
      const links = credentials.map((own) => linkFixture({ credential: { ...base, ...own }, sessions: [] }));
      return statusText(statusFixture({ links })).split('\n').slice(6, -1);
    };

    test('shows the remaining validity and the next renewal of a certificate', () => {
      const failing = { ...ok, state: 'failing' };
      const expired = { ...ok, state: 'expired' };
      const cells = [
        held,
        { ...held, valid_before: null },
        { ...held, renewal: failing },
        { ...held, valid_before: ago(3), renewal: expired },
        { renew_at: null, renewal: { ...ok, state: 'renewing' } },
        { type: 'static_key', renewal: failing },
        linkFixture().credential,
      ] as const;
      expect(lines(...cells).map((line) => line.slice(31))).toEqual([
        'STATE  CREDENTIAL   CERTIFICATE  RENEWAL',
        'up     certificate  50s left     in 20s',
        'up     certificate  no expiry    in 20s',
        'up     certificate  50s left     failing, again in 20s',
        'up     certificate  expired      in 20s',
        'up     certificate  none yet',
        'up     static key   none yet     failing, again in 20s',
        'up     static key',
      ]);
    });

    test('shows the credential of a session if the link has another one now', () => {
      const certified = { credential_type: 'certificate', connections: 1 } as const;
      const sessions = [
        sessionFixture({ id: 1, role: 'draining', connections: 1 }),
        sessionFixture({ id: 2, role: 'draining', ...certified, authenticated_until: ago(-5) }),
        sessionFixture({ id: 3, ...certified, authenticated_until: held.valid_before }),
      ];
      const text = statusText(statusFixture({ links: [linkFixture({ credential: held, sessions })] }));
      expect(text).toContain('session 1 draining: by static key, up 2h,');
      expect(text).toContain('session 2 draining: by certificate, 5s left, up 2h,');
      expect(text).toContain('session 3 active: up 2h,');
    });
  });

  test('shows an advisory without tunnels and links', () => {
    const advisories = [{ code: 'wireguard_threshold', message: 'six tunnels' }];
    const text = statusText(statusFixture({ tunnels: [], links: [], advisories }));
    expect(text.split('\n').slice(3)).toEqual([
      'No tunnels are configured.',
      '',
      'advisory: six tunnels [wireguard_threshold]',
      '',
    ]);
  });

  test('removes control characters in text from a hostile server', () => {
    const evil = 'SSH-2.0-\x1b]0;owned\x07\x1b[2J\u009b31m\r\n\u202egnp';
    const error: ErrorReport = { code: 'internal', message: evil, hint: evil, at: ago(1) };
    const status = statusFixture({
      reason: evil,
      links: [
        linkFixture({ host: evil, actor: evil, last_error: error, sessions: [sessionFixture({ server: evil })] }),
      ],
      tunnels: [tunnelFixture({ state: 'down', reason: evil, note: evil, host: evil, actor: evil, last_error: error })],
      advisories: [{ code: evil, message: evil }],
    });
    expect(statusText(status).replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  });

  test('adds colours and changes no other character', () => {
    const escapes = new RegExp(`${String.fromCharCode(27)}\\[\\d+m`, 'g');
    const status = statusFixture();
    const coloured = statusText(status, { colour: true });
    expect(coloured).toMatch(escapes);
    expect(coloured.replace(escapes, '')).toBe(statusText(status));
  });

  test.each([120, 100, 80, 60, 40])('fits %i columns by dropping columns, but never name and state', (columns) => {
    const lines = statusText(statusFixture(), { columns }).split('\n').slice(3, 5);
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(columns);
    expect(lines[1]).toMatch(/^state-hub {2}up/);
  });

  test.each([120, 80, 40])('says at %i columns what is left out, and keeps every note and reason', (columns) => {
    const tunnels = [
      tunnelFixture({ name: 'one', note: 'who needs this tunnel' }),
      tunnelFixture({ name: 'two', state: 'down', reason: 'the bastion is gone', note: 'another note' }),
    ];
    const text = statusText(statusFixture({ tunnels }), { columns });
    expect(text).toContain('who needs this tunnel');
    expect(text).toContain('another note');
    expect(text).toContain('the bastion is gone');
    const [, leftOut = ''] = new RegExp(`\\(${columns} columns have no room for ([^;]*);`).exec(text) ?? [];
    const titles = ['SINCE', 'LISTEN -> TARGET', 'PROBE', 'OPEN', 'HELD', 'SENT', 'RECEIVED'];
    for (const title of titles) {
      const shown = (text.split('\n').find((line) => line.startsWith('TUNNEL')) ?? '').includes(title);
      expect(leftOut.includes(title), title).toBe(!shown);
    }
  });

  test.each([undefined, 0, 1_000])('leaves nothing out at a width of %s', (columns) => {
    const text = statusText(statusFixture(), { columns });
    expect(text).toMatch(/^TUNNEL .* NOTE$/m);
    expect(text).not.toContain('no room');
    expect(text).toBe(statusText(statusFixture()));
  });

  test('shows unused sockets from systemd', () => {
    const problem = 'forward-18001 is bound to 127.0.0.1:18001, but the socket name is unknown';
    const sockets = [
      { name: 'endpoint', address: '127.0.0.1:9780', used_by: 'the endpoint', problem: null },
      { name: 'forward-18001', address: '127.0.0.1:18001', used_by: null, problem },
    ];
    const text = statusText(statusFixture({ systemd: { notify: 'none', watchdog_ms: null, sockets } }));
    expect(text).toContain(`systemd: ${problem}\n`);
    expect(text).toContain('systemd: the daemon cannot send its state');
    expect(text).not.toContain('endpoint');
  });
});

const rejected = { code: 'auth_rejected', message: 'core rejected the key', hint: 'Check it.', at: ago(5) } as const;
const dying = linkFixture({
  next_attempt_at: ago(-40),
  replacement: { state: 'failing', since: ago(60), attempts: 1, last_error: rejected },
});

test('shows below a link why its sessions cannot be replaced', () => {
  const lines = statusText(statusFixture({ links: [dying] })).split('\n');
  const at = lines.findIndex((line) => line.startsWith('  session 1'));
  expect(lines.slice(at + 1, at + 4)).toEqual([
    '  why:  SSH sessions of atm-fleet-mesh to coulombcore cannot be replaced since 2026-11-21T11:59:00Z (1 attempt failed): core rejected the key [auth_rejected]',
    '  fix:  Check it.',
    '  next: connects again in 40s',
  ]);
});
