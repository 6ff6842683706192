import { describe, expect, it } from 'vitest';
import { TunnelError } from '../../../../src/base/errors.ts';
import { parseConfig } from '../../../../src/config/load.ts';
import { walkHop } from '../../../../src/machine/doctor/hop.ts';
import { Doctor, wardsFor } from '../../../../src/machine/doctor/walk.ts';
import { credentialFacts, FakeSession } from '../../../support/fakes/fake-link.ts';

const CONFIG = parseConfig(
  Buffer.from(`version: 1
node: a
hosts:
  a: { address: 192.0.2.1, user: fleet }
  b: { address: 192.0.2.2, user: fleet, jump: bastion }
  bastion: { address: 192.0.2.3, user: fleet }
  idle: { address: 192.0.2.4, user: fleet }
actors:
  x: { key: /keys/x }
tunnels:
  one: { host: a, actor: x, listen: 127.0.0.1:1, target: 10.0.0.1:1 }
  two: { host: a, actor: x, listen: 127.0.0.1:2, target: 10.0.0.1:2 }
  far: { host: b, actor: x, listen: 127.0.0.1:3, target: 10.0.0.1:3 }
`),
  'f.yaml',
  { HOME: '/home/fleet' },
);

describe(wardsFor, () => {
  it.each([
    [undefined, [['a', 'one', 'two'], ['bastion'], ['b', 'far']]],
    ['one', [['a', 'one']]],
    ['a', [['a', 'one', 'two']]],
    ['far', [['bastion'], ['b', 'far']]],
    ['bastion', [['bastion']]],
  ])('finds the links to check for the name %s', (name, expected) => {
    const wards = wardsFor(CONFIG, name);
    expect(wards?.map(({ host, tunnels }) => [host, ...tunnels.map((tunnel) => tunnel.name)])).toEqual(expected);
  });

  it.each(['idle', 'nobody'])('finds no link for the name %s', (name) => {
    expect(wardsFor(CONFIG, name)).toBeUndefined();
  });
});

describe(walkHop, () => {
  it('continues with the fallback key, and reports a missing certificate as a failure', async () => {
    const standIn = new TunnelError('cert_command_failed', 'static key under exception x: none', { hint: 'Run it.' });
    const [host] = CONFIG.hosts.values();
    const [actor] = CONFIG.actors.values();
    if (!host || !actor) throw new Error('not configured');
    const session = new FakeSession();
    const prepare = async () => ({ facts: credentialFacts('key', { standIn }), connect: async () => session });
    const hop = await walkHop({ host, actor, over: undefined }, prepare, new AbortController().signal);
    expect(hop.session).toBe(session);
    expect(hop.findings.find(({ step }) => step === 'credential')).toMatchObject({
      verdict: 'failed',
      error: { message: standIn.message, hint: 'Run it.' },
    });
  });
});

describe(Doctor, () => {
  it('checks a shared jump host once, and offers no credential behind an unreachable one', async () => {
    const asked: string[] = [];
    const prepare = async ({ name }: { readonly name: string }) => {
      asked.push(name);
      throw new TunnelError('key_unreadable', 'no key');
    };
    const shown: string[] = [];
    await new Doctor(CONFIG, prepare, new AbortController().signal).examine(wardsFor(CONFIG, 'far') ?? [], ({ host }) =>
      shown.push(host),
    );
    expect(asked.sort()).toEqual(['b', 'bastion']);
    expect(shown).toEqual(['bastion', 'b']);
  });
});
