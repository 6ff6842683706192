import { describe, expect, it } from 'vitest';
import { type ErrorCode, TunnelError } from '../../../../src/base/errors.ts';
import {
  type Attempt,
  reachesProduction,
  sightingOf,
  withControl,
} from '../../../../src/retirement/lookout/sighting.ts';
import { linkFixture } from '../../../support/fakes/status-fixture.ts';

const failed = (code: ErrorCode, errno?: string): Attempt => ({
  error: new TunnelError(
    code,
    `${errno ?? code} happened`,
    errno ? { cause: Object.assign(new Error(), { code: errno }) } : {},
  ),
});
const refused = failed('connect_refused', 'ECONNREFUSED');
const noRoute = failed('connect_timeout', 'ENETUNREACH');
const noDescriptor = failed('internal', 'EMFILE');

describe('sightingOf and withControl', () => {
  it.each<[string, Attempt[], string, string | null]>([
    ['a banner', [{ banner: 'SSH-2.0-OpenSSH_9.2' }], 'reachable', null],
    ['a connection without banner', [{ banner: undefined }], 'reachable', null],
    ['one reachable address of two', [failed('connect_timeout'), { banner: undefined }], 'reachable', null],
    ['a connection that is reset', [failed('connection_reset', 'ECONNRESET')], 'reachable', null],
    ['a refusal', [refused], 'unreachable', 'connect_refused'],
    ['no answer in time', [failed('connect_timeout')], 'unreachable', 'connect_timeout'],
    ['a timeout of the kernel', [failed('connect_timeout', 'ETIMEDOUT')], 'unreachable', 'connect_timeout'],
    ['no neighbour', [failed('connect_timeout', 'EHOSTUNREACH')], 'unreachable', 'connect_timeout'],
    ['no such name', [failed('dns_failed', 'ENOTFOUND')], 'unreachable', 'dns_failed'],
    ['a resolver that does not answer', [failed('dns_failed', 'EAI_AGAIN')], 'unknown', 'EAI_AGAIN'],
    ['a resolver that takes too long', [failed('dns_failed')], 'unknown', 'dns_failed'],
    ['no free file descriptor', [noDescriptor], 'unknown', 'EMFILE'],
    ['a firewall on this node', [failed('connect_timeout', 'EPERM')], 'unknown', 'EPERM'],
    ['no route', [noRoute], 'unknown', 'ENETUNREACH'],
    ['no route for one family', [noRoute, refused], 'unreachable', 'connect_refused'],
    ['one address that was not tried', [refused, noDescriptor], 'unknown', 'EMFILE'],
    ['no address', [], 'unknown', 'internal'],
    ['a bug', [{ error: new TypeError('oops') }], 'unknown', 'internal'],
  ])('judge %s', (_, attempts, state, code) => {
    expect(sightingOf(attempts)).toMatchObject({ state, code });
  });

  it('take silence for absence only while the own network works', () => {
    const away = sightingOf([refused]);
    expect(withControl(away, true)).toBe(away);
    expect(withControl(away, false)).toMatchObject({ state: 'unknown', code: 'no_control' });
    const there = sightingOf([{ banner: undefined }]);
    expect(withControl(there, false)).toBe(there);
  });

  it('print a hostile banner without control characters, and shortened', () => {
    const { reason } = sightingOf([{ banner: `SSH-2.0-\u001b[31m${'x'.repeat(500)}` }]);
    expect(reason).not.toContain('\u001b');
    expect(reason.length).toBeLessThan(150);
  });
});

it('takes the own network for working while a link of a production tunnel is up', () => {
  const tunnels = (production: boolean) =>
    new Map([['hub', { host: 'coulombcore', actor: 'atm-fleet-mesh', production }]]);
  expect(reachesProduction(tunnels(true), [linkFixture()])).toBe(true);
  expect(reachesProduction(tunnels(false), [linkFixture()])).toBe(false);
  expect(reachesProduction(tunnels(true), [linkFixture({ state: 'backoff' })])).toBe(false);
  expect(reachesProduction(tunnels(true), [linkFixture({ host: 'haskelseed' })])).toBe(false);
});
