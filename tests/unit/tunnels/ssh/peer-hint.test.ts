import { describe, expect, it } from 'vitest';
import { peerHint } from '../../../../src/tunnels/ssh/peer-hint.ts';

const SSHD_SETTINGS = /sshd|AllowTcpForwarding|PermitOpen|PermitListen|GatewayPorts|MaxStartups/;

describe(peerHint, () => {
  it.each(['SSH-2.0-OpenSSH_9.2p1 Debian-2', 'SSH-2.0-OpenSSH_for_Windows_9.5', ''])(
    'leaves the usual hints to OpenSSH and to an unknown server: "%s"',
    (server) => {
      expect(peerHint(server, 'forward_denied')).toBeUndefined();
    },
  );

  it.each(['SSH-2.0-dropbear_2022.83', 'SSH-2.0-AsyncSSH_2.10.1', 'SSH-2.0-Go', 'SSH-2.0-paramiko_2.12.0'])(
    'names no setting of sshd to %s',
    (server) => {
      for (const code of ['forward_denied', 'remote_listen_denied', 'kex_failed', 'connection_reset'] as const) {
        expect(peerHint(server, code)).toEqual(expect.any(String));
        expect(peerHint(server, code)).not.toMatch(SSHD_SETTINGS);
      }
    },
  );

  it('names the options of dropbear, and the software of any other server', () => {
    expect(peerHint('SSH-2.0-dropbear_2022.83', 'remote_listen_denied')).toContain('-k');
    expect(peerHint('SSH-2.0-AsyncSSH_2.10.1', 'forward_denied')).toContain('AsyncSSH_2.10.1');
  });
});
