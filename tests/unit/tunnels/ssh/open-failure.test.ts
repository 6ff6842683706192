import { describe, expect, it } from 'vitest';
import { SessionFull } from '../../../../src/base/errors.ts';
import { explainOpenFailure } from '../../../../src/tunnels/ssh/open-failure.ts';

const TCP = { kind: 'tcp', host: '10.0.0.1', port: 80 } as const;
const UNIX = { kind: 'unix', path: '/run/x.sock' } as const;

const OPENSSH = 'SSH-2.0-OpenSSH_9.2p1';

/** An error as ssh2 reports it. */
const failure = (reason: number, said: string) =>
  Object.assign(new Error(`(SSH) Channel open failure: ${said}`), { reason });

describe(explainOpenFailure, () => {
  it.each([
    ['sshd, PermitOpen', TCP, failure(1, 'administratively prohibited: open failed'), 'forward_denied', 'PermitOpen'],
    ['sshd, refused', TCP, failure(2, 'Connection refused'), 'target_refused', 'service behind the tunnel'],
    ['sshd, no route', TCP, failure(2, 'No route to host'), 'target_unreachable', 'target address'],
    ['sshd, a socket', UNIX, failure(2, 'open failed'), 'target_unreachable', 'AllowStreamLocalForwarding'],
    ['a server without Unix sockets', UNIX, failure(3, ''), 'forward_denied', 'OpenSSH'],
    ['a server without forwarding', TCP, failure(3, ''), 'forward_denied', 'direct-tcpip'],
    ['a server that has no room', TCP, failure(4, ''), 'target_unreachable', ''],
  ])('names the reason of a refused channel: %s', (_, target, error, code, hint) => {
    expect(explainOpenFailure(target, error, OPENSSH)).toMatchObject({ code, hint: expect.stringContaining(hint) });
  });

  it.each([
    ['OpenSSH and Erlang', 'Connection refused'],
    ['Go', 'dial tcp 10.0.0.1:80: connect: connection refused'],
    ['asyncssh', "[Errno 111] Connect call failed ('10.0.0.1', 80)"],
    [
      'asyncssh, a name with two addresses',
      "Multiple exceptions: [Errno 111] Connect call failed ('::1', 80, 0, 0), [Errno 111] Connect call failed ('127.0.0.1', 80)",
    ],
    ['asyncssh on Windows', '[WinError 10061] The remote computer refused the network connection'],
    ['Node', 'connect ECONNREFUSED 10.0.0.1:80'],
    ['paramiko, which gives no reason', ''],
  ])('recognizes a refused connection in the words of %s', (_, said) => {
    expect(explainOpenFailure(TCP, failure(2, said), OPENSSH)).toMatchObject({ code: 'target_refused' });
  });

  it.each([
    ['asyncssh', "[Errno 113] Connect call failed ('10.0.0.1', 80)"],
    ['asyncssh, an unknown name', '[Errno -2] Name or service not known'],
    ['Go', 'dial tcp: lookup nohost: no such host'],
    ['OpenSSH without descriptors', 'open failed'],
    ['a server that counts', 'Errno 1110'],
  ])('calls a target unreachable in the words of %s', (_, said) => {
    expect(explainOpenFailure(TCP, failure(2, said), OPENSSH)).toMatchObject({ code: 'target_unreachable' });
  });

  it.each([
    ['a server that has no room', TCP, failure(4, '')],
    ['OpenSSH without descriptors', TCP, failure(2, 'open failed')],
    ['OpenSSH without descriptors for a socket', UNIX, failure(2, 'open failed')],
  ])('leaves the open to another session: %s', (_, target, error) => {
    expect(explainOpenFailure(target, error, OPENSSH)).toBeInstanceOf(SessionFull);
  });

  it('leaves the open of a refused connection to no other session', () => {
    expect(explainOpenFailure(TCP, failure(2, 'Connection refused'), OPENSSH)).not.toBeInstanceOf(SessionFull);
  });

  it.each([
    'Connection timed out',
    'dial tcp 10.0.0.1:80: i/o timeout',
    "[Errno 110] Connect call failed ('10.0.0.1', 80)",
  ])('marks a timeout of the server: %s', (said) => {
    expect(explainOpenFailure(TCP, failure(2, said), OPENSSH)).toMatchObject({
      code: 'target_unreachable',
      cause: { name: 'TimeoutError' },
    });
  });

  it('returns nothing for an error that is not an answer of the server', () => {
    expect(explainOpenFailure(TCP, new Error('No response from server'), OPENSSH)).toBeUndefined();
  });
});
