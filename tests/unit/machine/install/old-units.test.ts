import { describe, expect, it } from 'vitest';
import { readUnit } from '../../../../src/machine/import/unit.ts';
import { forwardsOf, type OldForward, replacementsFor, runsSsh } from '../../../../src/machine/install/old-units.ts';
import { configOf } from './facts-of.ts';

const forward = (direction: OldForward['direction'], port: number): OldForward => ({
  direction,
  listen: { kind: 'tcp', host: undefined, port },
});
const old = (...forwards: OldForward[]) => ({
  unit: 'old.service',
  active: true,
  enabled: true,
  forwards,
  unknown: [],
});

describe(runsSsh, () => {
  it.each([
    ['{ path=/usr/bin/ssh ; argv[]=/usr/bin/ssh -N -L 1:h:2 x ; }', true],
    ['{ path=/usr/bin/env ; argv[]=/usr/bin/env A=1 autossh -M 0 x ; }', true],
    ['{ path=/usr/sbin/sshd ; argv[]=/usr/sbin/sshd -D ; }', false],
    ['{ path=/usr/bin/ssh-agent ; argv[]=/usr/bin/ssh-agent -D ; }', false],
  ])('recognises ssh in the command %s: %s', (text, is) => {
    expect(runsSsh(text)).toBe(is);
  });
});

describe(forwardsOf, () => {
  it('reads the effective command after drop-ins', () => {
    const text = `[Service]\nExecStart=/usr/bin/ssh -N -L 1:h:2 x\n# drop-in\n[Service]\nExecStart=\nExecStart=/usr/bin/ssh -N -L 127.0.0.1:18000:h:2 -R 9:h:3 -D 1080 x\n`;
    const { entries } = readUnit('a.service', text, { hostname: 'here', user: 'u' });
    expect(forwardsOf(entries).map(({ direction, listen }) => [direction, listen])).toEqual([
      ['local', { kind: 'tcp', host: '127.0.0.1', port: 18_000 }],
      ['remote', { kind: 'tcp', host: undefined, port: 9 }],
      ['dynamic', { kind: 'tcp', host: undefined, port: 1080 }],
    ]);
    const cleared = entries.map(({ options }) => ({
      options: [...options, { keyword: 'clearallforwardings', value: 'yes' }],
    }));
    expect(forwardsOf(cleared)).toEqual([]);
  });
});

describe(replacementsFor, () => {
  const config = configOf([
    'hub: { listen: 127.0.0.1:18000, target: 10.0.0.5:8000 }',
    'proxy: { direction: dynamic, listen: 127.0.0.1:1080, allow: ["*.example:443"] }',
    'back: { direction: remote, listen: 127.0.0.1:9, target: 127.0.0.1:22 }',
  ]);

  it.each([
    ['one port', [forward('local', 18_000)], ['hub']],
    ['everything', [forward('local', 18_000), forward('dynamic', 1080), forward('remote', 9)], ['hub', 'proxy']],
  ])('replaces a unit if tunnels take over %s', (_, forwards, tunnels) => {
    expect(replacementsFor([old(...forwards)], config)).toEqual({
      replacements: [{ old: old(...forwards), tunnels }],
      problems: [],
    });
  });

  it.each([
    ['another port', [forward('local', 18_001)]],
    ['no forward', []],
    ['the port on the other side', [forward('local', 9)]],
    ['only a remote forward, which takes no port of this node', [forward('remote', 9)]],
  ])('leaves a unit alone that has %s', (_, forwards) => {
    expect(replacementsFor([old(...forwards)], config)).toEqual({ replacements: [], problems: [] });
  });

  it('refuses to replace a unit if a tunnel is missing for one of its ports', () => {
    const { replacements, problems } = replacementsFor([old(forward('local', 18_000), forward('local', 7))], config);
    expect(replacements).toEqual([]);
    expect(problems).toEqual([expect.stringContaining('old.service also listens on port 7')]);
  });
});
