import { beforeEach, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { TunnelError } from '../../../../src/base/errors.ts';
import { parseConfig } from '../../../../src/config/load.ts';
import { finding } from '../../../../src/retirement/drain/finding.ts';
import type { CurrentUse } from '../../../../src/retirement/drain/outline.ts';
import { type RetireRequest, retireTunnel } from '../../../../src/retirement/drain/retire-tunnel.ts';
import type { RetiredTunnel } from '../../../../src/retirement/drain/retired.ts';
import type { Verdict } from '../../../../src/retirement/drain/verdict.ts';

const SUCCESSOR = { target: '127.0.0.1:9', probe: { tcp: {} } };
const common = { host: 'there', actor: 'agt-key', target: 't:1' };
const yaml = stringify({
  version: 1,
  node: 'there',
  plan: 'plan.yaml',
  hosts: { there: { address: 'a', user: 'u' } },
  actors: { 'agt-key': { key: 'k' } },
  tunnels: {
    hub: { ...common, listen: '127.0.0.1:2000', drain: { step: '1.1', successor: SUCCESSOR } },
    plain: { ...common, listen: '127.0.0.1:2001', drain: { step: '1.2' } },
    staying: { ...common, listen: '127.0.0.1:2002' },
  },
});
const config = parseConfig(Buffer.from(yaml), 'f.yaml', { HOME: '/h' });

const RETIRABLE: Verdict = { verdict: 'retirable', blockers: [], unknowns: [] };
const IN_USE = finding('still_open', 'one connection', 'the last one has ended');
const NOT_APPROVED = finding('gate_closed', 'an approval is missing', 'it is approved', { clearsByItself: false });
const GAP = finding('observation_gap', 'not watched', 'it has been watched');

/** What happened, in order. */
let told: string[];
let verdict: Verdict | undefined;
let use: CurrentUse;
let kept: Map<string, RetiredTunnel>;
let keep: () => Promise<void>;
beforeEach(() => {
  [told, verdict, kept, keep] = [[], RETIRABLE, new Map(), async () => {}];
  use = { route: 'successor', usage: { open: 1, held: 0 } };
});

const tunnel = {
  status: () => use,
  retire: async (keepsPort: boolean) => void told.push(`ends, keeps its port: ${keepsPort}`),
  settle: async () => void told.push('settles'),
};

function retire(name: string, request: Partial<RetireRequest> = {}) {
  return retireTunnel(
    { name, dryRun: false, overrides: [], ...request },
    {
      config: () => config,
      supervisor: { named: (names) => names.map((one) => (config.tunnels.has(one) ? tunnel : undefined)) },
      retirement: {
        judge: (one) => (config.tunnels.get(one)?.drain ? verdict : undefined),
        retired: {
          of: (one: string) => kept.get(one),
          confirm: async () => void told.push('the list is confirmed'),
          add: async (one: string, retired: RetiredTunnel, stillStands = async () => {}) => {
            await keep();
            await stillStands();
            kept.set(one, retired);
            told.push('is kept');
          },
        },
      },
      cutovers: { confirm: async () => void told.push('the saved route is confirmed') },
      plan: { follow: async () => void told.push('plan is read') },
      evidence: { check: async () => void told.push('evidence is checked') },
      metrics: { retireOverrides: { inc: ({ code }) => void told.push(`counts ${code}`) } },
      inTurn: (_names, change) => change(),
      closingCommand: () => 'systemctl disable it',
      note: ({ event }) => void told.push(event),
    },
  );
}

describe('retireTunnel, for a retirable tunnel', () => {
  it('saves the retirement before the forward ends, and waits for connections last', async () => {
    expect(await retire('hub')).toMatchObject({ tunnel: 'hub', done: true, verdict: 'retirable', left: [] });
    expect(told).toEqual([
      'plan is read',
      'evidence is checked',
      'the saved route is confirmed',
      'plan is read',
      'evidence is checked',
      'is kept',
      'tunnel.retired',
      'ends, keeps its port: true',
      'settles',
    ]);
    expect(kept.get('hub')).toMatchObject({ keeps_port: true, overrides: [] });
  });

  it('closes the port of a tunnel without successor, and names the systemd command', async () => {
    use = { ...use, route: 'tunnel' };
    const { steps } = await retire('plain');
    expect(told).toContain('ends, keeps its port: false');
    expect(steps).toContain('systemd keeps the port open; close it with `systemctl disable it`');
  });

  it('retires a retired tunnel no second time', async () => {
    await retire('hub');
    told.length = 0;
    expect(await retire('hub')).toMatchObject({ done: true, steps: [expect.stringContaining('is retired already')] });
    expect(told).toEqual(['the saved route is confirmed', 'the list is confirmed', 'settles']);
  });

  it('changes nothing in a dry run', async () => {
    expect(await retire('hub', { dryRun: true })).toMatchObject({ done: false, verdict: 'retirable' });
    expect(told).toEqual(['plan is read', 'evidence is checked']);
  });

  it('leaves the tunnel running when a client came while the disk took its time', async () => {
    keep = async () => {
      verdict = { verdict: 'blocked', blockers: IN_USE, unknowns: [] };
    };
    await expect(retire('hub')).rejects.toMatchObject({ code: 'not_retirable' });
    expect(kept.size).toBe(0);
    expect(told).not.toContain('ends, keeps its port: true');
  });

  it('leaves the tunnel running when the retirement cannot be saved', async () => {
    keep = () => Promise.reject(new TunnelError('state_dir_unusable', 'no space left'));
    await expect(retire('hub')).rejects.toMatchObject({ code: 'state_dir_unusable' });
    expect(told).toEqual(['plan is read', 'evidence is checked', 'the saved route is confirmed']);
  });
});

describe('retireTunnel, for a tunnel with findings', () => {
  it.each([
    ['not_retirable', { verdict: 'blocked', blockers: IN_USE, unknowns: GAP }],
    ['needs_somebody', { verdict: 'blocked', blockers: [...IN_USE, ...NOT_APPROVED], unknowns: [] }],
    ['verdict_unknown', { verdict: 'unknown', blockers: [], unknowns: GAP }],
  ] as const)('refuses with %s and changes nothing', async (code, found) => {
    verdict = found;
    await expect(retire('hub')).rejects.toMatchObject({ name: 'ControlRefused', code });
    expect(told).toEqual(['plan is read', 'evidence is checked']);
  });

  it('retires the tunnel when all blockers are overridden, and counts and saves the overrides', async () => {
    verdict = { verdict: 'blocked', blockers: [...IN_USE, ...NOT_APPROVED], unknowns: [] };
    const overrides = [
      { code: 'still_open', reason: 'a test' },
      { code: 'gate_closed', reason: 'approved by telephone' },
    ];
    expect(await retire('hub', { overrides })).toMatchObject({ done: true, overridden: overrides });
    expect(told).toEqual(expect.arrayContaining(['counts still_open', 'counts gate_closed']));
    expect(kept.get('hub')).toMatchObject({ overrides });
  });

  it('refuses while the port still leads through the tunnel, whatever the verdict was', async () => {
    use = { ...use, route: 'tunnel' };
    await expect(retire('hub')).rejects.toMatchObject({
      code: 'needs_somebody',
      hint: expect.stringContaining('fleet-mesh cutover hub'),
    });
  });

  it.each([
    ['an override without a reason', 'hub', { overrides: [{ code: 'still_open', reason: '' }] }, 'cannot_override'],
    ['no drain section', 'staying', {}, 'needs_somebody'],
    ['an unknown name', 'hubb', {}, 'unknown_tunnel'],
  ])('refuses %s', async (_, name, request, code) => {
    await expect(retire(name, request)).rejects.toMatchObject({ name: 'ControlRefused', code });
    expect(told).not.toContain('is kept');
  });
});
