import { describe, expect, it } from 'vitest';
import { TunnelError } from '../../../../../src/base/errors.ts';
import type { Address } from '../../../../../src/base/net/address.ts';
import { mayBeLocal, reachableAt, widthOf, widthWitness } from '../../../../../src/tunnels/forward/remote/address.ts';
import {
  explainRefusal,
  isGhost,
  type Look,
  rebindDelayMs,
} from '../../../../../src/tunnels/forward/remote/refusal.ts';

const listen = { kind: 'tcp', host: '127.0.0.1', port: 8_000 } as const;
const at = (host: string) => ({ ...listen, host });
const explain = (look: Look, lostMs?: number) =>
  explainRefusal({ listen, host: 'hub', look, lostMs, cause: new TunnelError('remote_listen_denied', 'no') });

describe(explainRefusal, () => {
  it.each<[Look, number | undefined, string, string]>([
    ['answers', undefined, 'remote_listen_in_use', 'another listener holds 127.0.0.1:8000 on hub'],
    [
      'answers',
      10_000,
      'remote_listen_in_use',
      '127.0.0.1:8000 on hub is still held, probably by our own lost session',
    ],
    ['answers', 4 * 3_600_000, 'remote_listen_in_use', 'another listener holds 127.0.0.1:8000 on hub'],
    [
      'refused',
      undefined,
      'remote_listen_denied',
      'the server forbids us to listen on 127.0.0.1:8000 on hub; no other program listens there',
    ],
    // Nothing listens there, so no dead session does either.
    [
      'refused',
      10,
      'remote_listen_denied',
      'the server forbids us to listen on 127.0.0.1:8000 on hub; no other program listens there',
    ],
    [
      'forbidden',
      10_000,
      'remote_listen_denied',
      'the server refused to listen on 127.0.0.1:8000 on hub: our own lost session may still hold the address, or sshd forbids it',
    ],
  ])('explains a look that found %s, with a session lost %s ms ago, as %s', (look, lostMs, code, message) => {
    expect(explain(look, lostMs)).toMatchObject({ code, message });
  });

  it('names both causes when the server forbids the test', () => {
    expect(explain('forbidden').hint).toContain('Either the server forbids forwarding');
    expect(explain('unknown')).toMatchObject({ code: 'remote_listen_denied' });
    expect(isGhost({ look: 'forbidden', lostMs: 600_000 })).toBe(false);
  });

  it('names the settings that end a dead session, in the words of the server', () => {
    expect(explain('answers', 1).hint).toContain('ClientAliveInterval 15');
    const cause = new TunnelError('remote_listen_denied', 'no');
    const refusal = { listen, host: 'hub', look: 'answers', lostMs: 1, cause } as const;
    expect(explainRefusal({ ...refusal, endGhosts: 'Start dropbear with -K 15.' }).hint).not.toContain('ClientAlive');
  });

  it('names the settings that fit the requested address', () => {
    const cause = new TunnelError('remote_listen_denied', 'no');
    const hint = (where: Address) =>
      explainRefusal({ listen: where, host: 'hub', look: 'refused', lostMs: undefined, cause }).hint;
    expect(hint(listen)).toContain('must allow 127.0.0.1:8000');
    expect(hint(listen)).not.toContain('below port 1024');
    expect(hint({ ...listen, port: 443 })).toContain('below port 1024');
    expect(hint({ kind: 'unix', path: '/run/hub.sock' })).toContain('AllowStreamLocalForwarding');
    expect(hint({ kind: 'unix', path: '/run/hub.sock' })).not.toContain('PermitListen');
  });
});

describe(rebindDelayMs, () => {
  it.each([0, 0.5, 0.999])(
    'waits short for a dead session, and long for a cause that an operator must fix (random %s)',
    (random) => {
      const taken = explain('answers');
      for (let failures = 0; failures < 100; failures++) {
        expect(rebindDelayMs(taken, true, failures, random)).toBeLessThanOrEqual(3_000);
        expect(rebindDelayMs(taken, true, failures, random)).toBeGreaterThan(14);
        expect(rebindDelayMs(explain('forbidden', 1), true, failures, random)).toBeLessThanOrEqual(3_000);
      }
      expect(rebindDelayMs(taken, false, 0, random)).toBeGreaterThan(20_000);
      expect(rebindDelayMs(explain('refused'), false, 0, random)).toBeGreaterThan(40_000);
    },
  );
});

describe('addresses of the far side', () => {
  it.each([
    ['0.0.0.0', 'all_v4', '127.0.0.1'],
    ['::', 'all_v6', '::1'],
    ['0:0:0:0:0:0:0:0', 'all_v6', '::1'],
    ['*', 'all', '127.0.0.1'],
    ['', 'all', '127.0.0.1'],
    ['127.0.0.1', 'one', '127.0.0.1'],
    ['::1', 'one', '::1'],
    ['192.0.2.1', 'one', '192.0.2.1'],
    ['localhost', 'one', 'localhost'],
    ['bridge.internal', 'one', 'bridge.internal'],
  ])('takes %j for %s address(es), and reaches it at %s', (host, width, reached) => {
    expect(widthOf(host)).toBe(width);
    expect(reachableAt(at(host))).toEqual(at(reached));
  });

  it.each(['0.0.0.0', '::', '127.0.0.1', '127.0.0.2', '::1', 'localhost'])(
    'tests the width of %s at another loopback address',
    (host) => {
      expect(widthWitness(host)).toMatch(/^127\.0\.0\.[23]$/);
      expect(widthWitness(host)).not.toBe(host);
    },
  );

  it.each([
    ['127.0.0.1', '127.0.0.1', true],
    ['::ffff:127.0.0.1', '0.0.0.0', true],
    ['::1', '::', true],
    ['2001:db8::1', '2001:DB8:0::1', true],
    ['192.0.2.9', '0.0.0.0', false],
    ['192.0.2.9', '192.0.2.1', false],
    ['192.0.2.1', '192.0.2.1', true],
    // Only the host knows the address of a name.
    ['192.0.2.9', 'bridge.internal', true],
  ])('judges whether a connection from %s to %s may be local: %s', (address, host, expected) => {
    expect(mayBeLocal({ address, port: 1 }, at(host))).toBe(expected);
  });
});
