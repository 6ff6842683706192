import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Config, HostConfig } from '../../../../src/config/config.ts';
import { Lookout } from '../../../../src/retirement/lookout/lookout.ts';
import type { Sighting } from '../../../../src/retirement/lookout/sighting.ts';
import type { Happening } from '../../../../src/telemetry/happening.ts';
import { hostConfig } from '../../../support/fakes/fake-link.ts';
import { linkFixture } from '../../../support/fakes/status-fixture.ts';

const AWAY: Sighting = { state: 'unreachable', code: 'connect_timeout', reason: 'no answer' };
const THERE: Sighting = { state: 'reachable', code: null, reason: 'the host accepted a connection' };
const workstation: HostConfig = { ...hostConfig, name: 'workstation', address: 'lap', role: 'workstation' };

let told: Happening[];
let looked: string[];
let answer: Sighting;
let linkState: 'up' | 'backoff';
let over: AbortController;
let lookout: Lookout;

beforeEach(() => {
  vi.useFakeTimers();
  told = [];
  looked = [];
  answer = AWAY;
  linkState = 'up';
  over = new AbortController();
  lookout = new Lookout(
    {},
    {
      links: () => [linkFixture({ state: linkState })],
      note: (happening) => void told.push(happening),
      random: () => 0.5,
      look: async ({ address }) => {
        looked.push(address);
        return answer;
      },
    },
  );
});
afterEach(async () => {
  over.abort();
  await lookout.done;
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

const config = (...hosts: HostConfig[]): Pick<Config, 'node' | 'sha256' | 'hosts' | 'tunnels'> => {
  const hub = { name: 'hub', host: 'coulombcore', actor: 'atm-fleet-mesh', production: true, target: undefined };
  const tunnels = new Map([['hub', hub]]) as unknown as Config['tunnels'];
  const all = [hostConfig, ...hosts].map((host) => [host.name, host] as const);
  return { node: 'railiance01', sha256: 'c', hosts: new Map(all), tunnels };
};
const sightings = () => told.filter(({ event }) => event.startsWith('host.')).map(({ event, code }) => [event, code]);
const pulse = () => new Map(Object.entries(lookout.takePulses())).get('workstation');
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

it('records the routes, and looks only for the workstations', async () => {
  lookout.start(config(workstation), over.signal);
  expect(told).toMatchObject([{ event: 'config.in_force', workstations: { workstation: 'lap:22' } }]);
  await pass(100_000);
  expect(new Set(looked)).toEqual(new Set(['lap']));
});

it('records each change once, and every look in the heartbeat', async () => {
  lookout.start(config(workstation), over.signal);
  await pass(3_000 + 2 * 30_000);
  expect(sightings()).toEqual([['host.unreachable', 'connect_timeout']]);
  const { checked } = pulse() ?? {};
  expect(checked).toHaveLength(3);
  expect(pulse()).toMatchObject({ state: 'unreachable', checked: [] });
  answer = THERE;
  await pass(30_000);
  expect(sightings().at(-1)).toEqual(['host.reachable', null]);
  expect(told.at(-1)).toMatchObject({ from: 'unreachable', host: 'workstation', address: 'lap:22' });
});

it('concludes nothing while no production link is up, and looks again soon', async () => {
  linkState = 'backoff';
  lookout.start(config(workstation), over.signal);
  await pass(3_000);
  expect(sightings()).toEqual([['host.unknown', 'no_control']]);
  linkState = 'up';
  await pass(3_000);
  expect(sightings().at(-1)).toEqual(['host.unreachable', 'connect_timeout']);
});

it('concludes nothing when the production link fails during the look', async () => {
  lookout = new Lookout(
    {},
    {
      links: () => [linkFixture({ state: linkState })],
      note: (happening) => void told.push(happening),
      random: () => 0.5,
      look: async () => {
        linkState = 'backoff';
        return AWAY;
      },
    },
  );
  lookout.start(config(workstation), over.signal);
  await pass(3_000);
  expect(sightings()).toEqual([['host.unknown', 'no_control']]);
});

it('does not look through a jump host, and reports the host as unknown', async () => {
  lookout.start(config({ ...workstation, jump: { host: 'bastion', actor: undefined } }), over.signal);
  await pass(3_000);
  expect([sightings(), looked]).toEqual([[['host.unknown', 'behind_jump']], []]);
});

it('does not look for the node itself', async () => {
  lookout.start({ ...config(workstation), node: 'workstation' }, over.signal);
  await pass(60_000);
  expect(looked).toEqual([]);
});

it('starts over for a new address after a reload, and continues for the same address', async () => {
  lookout.start(config(workstation), over.signal);
  await pass(3_000);
  lookout.follow(config({ ...workstation }));
  await pass(30_000);
  expect(sightings()).toHaveLength(1);
  lookout.follow(config({ ...workstation, address: 'other' }));
  expect(lookout.takePulses()).toEqual({});
  await pass(33_000);
  expect(told.at(-1)).toMatchObject({ event: 'host.unreachable', from: null, address: 'other:22' });
  lookout.follow(config());
  expect(lookout.takePulses()).toEqual({});
});

it('keeps at most 100 looks between heartbeats', async () => {
  lookout.start(config(workstation), over.signal);
  await pass(3 * 3_600_000);
  expect(pulse()?.checked).toHaveLength(100);
});
