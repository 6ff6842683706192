import { describe, expect, it } from 'vitest';
import { peerHint } from '../../../../src/tunnels/ssh/peer-hint.ts';

const SSHD_SETTINGS = /sshd|AllowTcpForwarding|PermitOpen|PermitListen|GatewayPorts|MaxStartups|ClientAlive/;

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
      const troubles = ['too_narrow', 'too_wide', 'unprovable', 'ghost'] as const;
      const codes = ['forward_denied', 'remote_listen_denied', 'kex_failed', 'connection_reset'] as const;
      for (const code of [...codes, ...troubles]) {
        expect(peerHint(server, code)).toEqual(expect.any(String));
        expect(peerHint(server, code)).not.toMatch(SSHD_SETTINGS);
      }
    },
  );

  it('shows no control character of the software', () => {
    expect(peerHint('SSH-2.0-evil\u001b[2J', 'forward_denied')).toContain('evil\\u001b[2J');
  });

  it('names the options of dropbear, and the software of any other server', () => {
    expect(peerHint('SSH-2.0-dropbear_2022.83', 'remote_listen_denied')).toContain('-k');
    expect(peerHint('SSH-2.0-dropbear_2022.83', 'too_narrow')).toContain('-a');
    expect(peerHint('SSH-2.0-AsyncSSH_2.10.1', 'forward_denied')).toContain('AsyncSSH_2.10.1');
  });
});
