import { describe, expect, test } from 'vitest';
import {
  checkHostKey,
  hostKeyAlgorithms,
  hostKeyPolicy,
  hostTrust,
} from '../../../../../src/tunnels/ssh/host-key/host-key-policy.ts';
import { findLines, type HostLines } from '../../../../../src/tunnels/ssh/host-key/host-lines.ts';
import { parseKnownHosts } from '../../../../../src/tunnels/ssh/host-key/known-hosts.ts';
import { fingerprint } from '../../../../../src/tunnels/ssh/public-key.ts';
import { runThrough } from '../../../../support/run-through.ts';
import { blobOf, keyLine } from '../key-line.ts';

const ED = 'ssh-ed25519';
/** The lines about the host `host` in a file of these lines. */
function about(port: number, ...lines: string[]): HostLines {
  const { entries } = runThrough(parseKnownHosts(Buffer.from(lines.join('\n')), 'kh'));
  return runThrough(findLines(entries, { file: 'kh', host: 'host', port }));
}

describe('checkHostKey', () => {
  const plain = keyLine('host', ED, 'right');
  const other = keyLine('host', ED, 'wrong');
  const ported = keyLine('[host]:2222', ED, 'right');
  const portedOther = keyLine('[host]:2222', ED, 'wrong');
  const authority = `@cert-authority ${keyLine('*', ED, 'right')}`;
  const revoked = `@revoked ${keyLine('*', ED, 'right')}`;

  test.each([
    ['the known key', 22, [plain], 'ok'],
    ['another key than the known one', 22, [other], 'changed'],
    ['an equal key in any line', 22, [other, plain], 'ok'],
    ['a host that no line names', 22, [keyLine('elsewhere', ED, 'right')], 'unknown'],
    ['a key revoked before its own line', 22, [revoked, plain], 'revoked'],
    ['a key revoked after its own line', 22, [plain, revoked], 'revoked'],
    ['another revoked key', 22, [plain, `@revoked ${keyLine('*', ED, 'wrong')}`], 'ok'],
    ['the key of a certificate authority', 22, [authority], 'unknown'],
    ['the key with its port', 2222, [ported], 'ok'],
    ['the plain line, when none has the port', 2222, [plain], 'ok'],
    ['a differing plain line, when none has the port', 2222, [other], 'unknown'],
    ['a differing line with the port, though the plain one is right', 2222, [plain, portedOther], 'changed'],
    ['only an authority with the port, and the plain line', 2222, [plain, `@cert-authority ${portedOther}`], 'ok'],
    ['a line with a port, for port 22', 22, [ported], 'unknown'],
    ['a key revoked without the port', 2222, [ported, `@revoked ${plain}`], 'revoked'],
  ])('decides about %s (port %i)', (_, port, lines, kind) => {
    expect(checkHostKey(about(port, ...lines), blobOf(ED, 'right')).kind).toBe(kind);
  });

  test('names a line of the same key type when several lines differ', () => {
    const lines = about(22, keyLine('host', 'ssh-rsa', 'x'), other);
    expect(checkHostKey(lines, blobOf(ED, 'right'))).toMatchObject({ entry: { place: 'kh:2' } });
  });

  test.each([Buffer.alloc(0), Buffer.from([0xff, 0xff, 0xff, 0xff])])('rejects garbage instead of a key', (blob) => {
    expect(checkHostKey(about(22, plain), blob).kind).toBe('changed');
  });
});

describe('hostKeyAlgorithms', () => {
  test('requests only algorithms of the known key types, in our order', () => {
    const lines = about(
      22,
      keyLine('host', 'ssh-rsa', 'a'),
      keyLine('host', 'ecdsa-sha2-nistp256', 'b'),
      keyLine('host', ED, 'c'),
      keyLine('other', 'ecdsa-sha2-nistp521', 'd'),
      `@revoked ${keyLine('host', 'ecdsa-sha2-nistp384', 'e')}`,
    );
    expect(hostKeyAlgorithms(lines)).toEqual([ED, 'ecdsa-sha2-nistp256', 'rsa-sha2-512', 'rsa-sha2-256']);
  });

  test('prefers lines with the port to plain lines', () => {
    const lines = [keyLine('host', ED, 'a'), keyLine('[host]:2222', 'ssh-rsa', 'b')];
    expect(hostKeyAlgorithms(about(2222, ...lines))).toEqual(['rsa-sha2-512', 'rsa-sha2-256']);
    expect(hostKeyAlgorithms(about(2223, ...lines))).toEqual([ED]);
  });
});

describe('the policy of a session', () => {
  const policyError = (...lines: string[]) => {
    try {
      hostKeyPolicy(about(2222, ...lines));
    } catch (error) {
      return error;
    }
    return undefined;
  };

  test('rejects an unknown host before any dial, and hints at ssh-keyscan', () => {
    expect(policyError(keyLine('other', ED, 'a'))).toMatchObject({
      code: 'host_key_unknown',
      message: 'no host key is known for [host]:2222 in kh',
      hint: expect.stringContaining('ssh-keyscan -p 2222 host'),
    });
  });

  test('reports that the only known key has an unsupported type', () => {
    expect(policyError(keyLine('host', 'sk-ssh-ed25519@openssh.com', 'a'))).toMatchObject({
      code: 'host_key_unknown',
      message: expect.stringMatching(/unsupported type sk-ssh-ed25519.*kh:1/),
    });
  });

  test('accepts the known key', () => {
    const policy = hostKeyPolicy(about(22, keyLine('host', ED, 'a')));
    expect(policy.algorithms).toEqual([ED]);
    expect(policy.verify(blobOf(ED, 'a'))).toBeUndefined();
  });

  test('names both fingerprints and the line for a changed key', () => {
    const error = hostKeyPolicy(about(22, keyLine('host', ED, 'a'))).verify(blobOf(ED, 'b'));
    expect(error).toMatchObject({ code: 'host_key_changed', retryable: false, hint: expect.stringContaining('kh:1') });
    expect(error?.message).toBe(
      `host presented ${fingerprint(blobOf(ED, 'b'))}, but kh:1 has ${fingerprint(blobOf(ED, 'a'))}`,
    );
  });

  test('names the line for a revoked key', () => {
    const lines = about(22, keyLine('host', ED, 'a'), `@revoked ${keyLine('*', ED, 'a')}`);
    expect(hostKeyPolicy(lines).verify(blobOf(ED, 'a'))).toMatchObject({
      code: 'host_key_changed',
      message: expect.stringContaining('revoked (kh:2)'),
      hint: expect.stringContaining('@revoked'),
    });
  });

  test('calls a key unknown when known_hosts has the host without the port', () => {
    const error = hostKeyPolicy(about(2222, keyLine('host', ED, 'a'))).verify(blobOf(ED, 'b'));
    expect(error).toMatchObject({
      code: 'host_key_unknown',
      message: expect.stringContaining(fingerprint(blobOf(ED, 'b'))),
    });
  });
});

describe(hostTrust, () => {
  const authority = `@cert-authority ${keyLine('*.example,host', ED, 'ca')}`;
  const trust = (...lines: string[]) => hostTrust(about(2222, ...lines));

  test('prefers keys of the host to authorities', () => {
    expect(trust(authority, keyLine('host', ED, 'a'))).toMatchObject({ kind: 'keys', policy: { algorithms: [ED] } });
  });

  test('uses authorities with and without the port, and every revoked key', () => {
    const ported = `@cert-authority ${keyLine('[host]:2222', ED, 'other')}`;
    const found = trust(authority, ported, `@revoked ${keyLine('*', ED, 'lost')}`, keyLine('elsewhere', ED, 'a'));
    expect(found).toMatchObject({
      kind: 'authorities',
      trusted: { host: 'host', authorities: [{ place: 'kh:2' }, { place: 'kh:1' }], revoked: [{ place: 'kh:3' }] },
    });
  });

  test('rejects a host without keys and authorities before any dial', () => {
    expect(() => trust(`@cert-authority ${keyLine('elsewhere', ED, 'ca')}`)).toThrow(/no host key is known/);
  });
});
