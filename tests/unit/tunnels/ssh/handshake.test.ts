import { describe, expect, test } from 'vitest';
import type { ErrorCode } from '../../../../src/base/errors.ts';
import { TunnelError } from '../../../../src/base/errors.ts';
import { explainHandshake, type HandshakeEnd } from '../../../../src/tunnels/ssh/handshake.ts';

const plain: HandshakeEnd = {
  step: 'banner',
  peer: 'coulombcore port 22',
  timedOut: false,
  stepTimeoutMs: 10_000,
  hostKey: undefined,
  error: undefined,
  greeting: '',
  username: 'tegwick',
  offered: 'a key',
  ifRejected: undefined,
  disagreement: undefined,
  answer: {},
};

/** An error with ssh2's label. */
const ssh2Error = (level: string, message = level): Error => Object.assign(new Error(message), { level });
/** SSH_MSG_DISCONNECT as an error of ssh2. */
const disconnect = (code: number): Error => Object.assign(new Error('Too many authentication failures'), { code });

const SSH = 'SSH-2.0-OpenSSH_9.2p1\r\n';
const cut = ssh2Error('protocol', 'Connection lost before handshake');
const reset = Object.assign(ssh2Error('client-socket', 'read ECONNRESET'), { code: 'ECONNRESET' });

/** The events after the TCP connection, with the error for each. */
const table: [what: string, end: Partial<HandshakeEnd>, code: ErrorCode, says: RegExp][] = [
  ['accepts, never speaks', { timedOut: true, error: cut }, 'connect_timeout', /sent no SSH banner within 10000 ms/],
  ['accepts, then FIN', { error: cut }, 'connection_reset', /before the SSH banner/],
  ['accepts, then FIN, without any error', {}, 'connection_reset', /before the SSH banner/],
  ['accepts, then RST', { error: reset }, 'connection_reset', /before the SSH banner/],
  [
    'an HTTP server',
    { error: cut, greeting: 'HTTP/1.1 400 Bad Request\r\n\r\n' },
    'kex_failed',
    /is not an SSH server: an HTTP server says "HTTP\/1.1 400 Bad Request"/,
  ],
  [
    'a signature of a type with control characters',
    { step: 'kex', error: ssh2Error('handshake', 'Wrong signature type: ssh-\u001b[2J') },
    'kex_failed',
    /Wrong signature type: ssh-\\u001b\[2J/,
  ],
  [
    'MaxStartups of older sshd',
    { error: cut, greeting: 'Exceeded MaxStartups\r\n' },
    'connection_reset',
    /before the SSH banner/,
  ],
  [
    'PerSourcePenalties',
    { error: cut, greeting: 'Not allowed at this time\r\n' },
    'penalised',
    /temporarily refuses the address of this node/,
  ],
  [
    'no common algorithm',
    { step: 'kex', greeting: SSH, error: ssh2Error('handshake', 'no matching key exchange algorithm') },
    'kex_failed',
    /no matching key exchange algorithm/,
  ],
  [
    'silent during the key exchange',
    { step: 'kex', greeting: SSH, timedOut: true },
    'kex_failed',
    /did not finish the key exchange within 10000 ms/,
  ],
  ['cut during the key exchange', { step: 'kex', greeting: SSH }, 'connection_reset', /during the key exchange/],
  [
    'reset during the key exchange',
    { step: 'kex', greeting: SSH, error: reset },
    'connection_reset',
    /during the key exchange/,
  ],
  [
    'login rejected',
    { step: 'auth', greeting: SSH, error: ssh2Error('client-authentication') },
    'auth_rejected',
    /rejected the login of tegwick/,
  ],
  ['too many failures', { step: 'auth', greeting: SSH, error: disconnect(2) }, 'auth_rejected', /rejected the login/],
  ['no more methods', { step: 'auth', greeting: SSH, error: disconnect(14) }, 'auth_rejected', /rejected the login/],
  [
    'the agent has trouble',
    { step: 'auth', greeting: SSH, error: ssh2Error('agent', 'Failed to connect to agent') },
    'auth_rejected',
    /ssh-agent: Failed to connect/,
  ],
  ['LoginGraceTime: closed without a message', { step: 'auth', greeting: SSH }, 'connection_reset', /during the login/],
  [
    'reset during authentication',
    { step: 'auth', greeting: SSH, error: reset },
    'connection_reset',
    /during the login/,
  ],
  [
    'frozen during authentication',
    { step: 'auth', greeting: SSH, timedOut: true },
    'connect_timeout',
    /did not answer the login within/,
  ],
];

test.each(table)('names a failed handshake: %s', (_, end, code, says) => {
  const error = explainHandshake({ ...plain, ...end });
  expect(error.code).toBe(code);
  expect(error.message).toMatch(says);
  expect(error.message).toContain('coulombcore port 22');
  expect(error.cause).toBe(end.error);
});

test('gives a rejected credential its own hint', () => {
  const end = { ...plain, step: 'auth', error: ssh2Error('client-authentication') } as const;
  expect(explainHandshake({ ...end, ifRejected: 'Compare the CA.' }).hint).toBe('Compare the CA.');
  expect(explainHandshake(end).hint).toContain('authorized_keys');
});

test.each([
  ['SSH-2.0-OpenSSH_9.2p1\r\n', 'tegwick', /Also check AllowUsers, DenyUsers/],
  ['SSH-2.0-OpenSSH_9.2p1\r\n', 'root', /Also check PermitRootLogin, AllowUsers/],
  ['SSH-2.0-dropbear_2022.83\r\n', 'root', /authorized_keys on the host has the public key\.$/],
])('names the rules of sshd that refuse a user, and those only to sshd: %j, %s', (greeting, username, hint) => {
  const end = { ...plain, step: 'auth', error: ssh2Error('client-authentication'), greeting, username } as const;
  expect(explainHandshake(end).hint).toMatch(hint);
});

test('asks for a second key by that name', () => {
  const answer = { methods: ['publickey'], partial: true };
  const end = { ...plain, step: 'auth', error: ssh2Error('client-authentication'), answer } as const;
  expect(explainHandshake(end).message).toMatch(/and wants a second key$/);
});

describe('the verdict on the host key', () => {
  test('prefers the result of the host key check to the error of ssh2', () => {
    const hostKey = new TunnelError('host_key_changed', 'changed');
    const error = ssh2Error('handshake', 'Host denied (verification failed)');
    expect(explainHandshake({ ...plain, step: 'kex', hostKey, error, timedOut: true })).toBe(hostKey);
  });
});

describe('the greeting of another service', () => {
  test('filters and shortens the greeting of another service for terminals', () => {
    const { message } = explainHandshake({ ...plain, greeting: `\x1b[2J\u0007evil\r\n${'x'.repeat(5_000)}` });
    expect(message).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    expect(message.length).toBeLessThan(250);
  });
});
