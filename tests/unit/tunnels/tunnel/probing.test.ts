import { Duplex } from 'node:stream';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { TunnelError } from '../../../../src/base/errors.ts';
import type { ProbeConfig } from '../../../../src/config/config.ts';
import type { Channel, ChannelSource } from '../../../../src/tunnels/channel/channel-source.ts';
import { Probing } from '../../../../src/tunnels/tunnel/probing.ts';

const config: ProbeConfig = { check: { kind: 'tcp' }, everyMs: 10_000, timeoutMs: 3_000, fall: 1, rise: 1 };
const target = { kind: 'tcp', host: '192.0.2.1', port: 8000 } as const;

let ready: boolean;
let opens: number;
let answer: () => Promise<Channel>;
let probed: (string | undefined)[];
let probing: Probing;

const opened = async (): Promise<Channel> => ({ stream: new Duplex({ read() {} }), onLost() {}, close() {} });

beforeEach(() => {
  vi.useFakeTimers();
  ready = true;
  opens = 0;
  answer = opened;
  probed = [];
  const source: ChannelSource = {
    get ready() {
      return ready;
    },
    whenReady: async () => {},
    open: () => {
      opens++;
      return answer();
    },
  };
  probing = new Probing('db', {
    source,
    observeSeconds: () => {},
    onProbed: (error) => probed.push(error?.code),
    random: () => 0.5,
  });
});
afterEach(async () => {
  probing.stop();
  await vi.advanceTimersByTimeAsync(0);
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

/** Changes `ready`, and reports the change as the tunnel does. */
const become = async (state: boolean) => {
  ready = state;
  probing.readinessChanged();
  await vi.advanceTimersByTimeAsync(0);
};

test('probes once when probing starts on an open route, although both the start and the route cause a probe', async () => {
  probing.set({ config, target });
  await become(true);
  expect([opens, probed]).toEqual([1, [undefined]]);
  expect(probing.verdict).toEqual({ state: 'passing', lastError: undefined });
});

test('drops the verdict when the route closes, and probes at once when the route opens again', async () => {
  probing.set({ config, target });
  await become(true);
  await become(false);
  expect(probing.verdict?.state).toBe('pending');
  await become(true);
  expect([opens, probing.verdict?.state]).toEqual([2, 'passing']);
});

test('keeps the interval while the route stays open', async () => {
  probing.set({ config, target });
  await become(true);
  await become(true);
  expect(opens).toBe(1);
});

test('stops without settings and drops the verdict, and starts again with new settings', async () => {
  probing.set({ config, target });
  await become(true);
  probing.set(undefined);
  await vi.advanceTimersByTimeAsync(60_000);
  expect([opens, probing.verdict, probing.status()]).toEqual([1, undefined, undefined]);
  probing.set({ config, target });
  await become(true);
  expect(opens).toBe(2);
});

test('keeps the verdict when only the interval changes, and drops the verdict of another target', async () => {
  answer = () => Promise.reject(new TunnelError('target_refused', 'refused'));
  probing.set({ config, target });
  await become(true);
  probing.set({ config: { ...config, everyMs: 20_000 }, target });
  expect(probing.verdict?.state).toBe('failing');
  probing.set({ config, target: { ...target, port: 9000 } });
  expect(probing.verdict?.state).toBe('pending');
});

test('keeps the last verdict readable after the end, and makes no more calls', async () => {
  probing.set({ config, target });
  await become(true);
  probing.stop();
  await vi.advanceTimersByTimeAsync(60_000);
  expect([opens, probing.status()?.state]).toEqual([1, 'passing']);
});

test('names the tunnel once a probe is 30 s late', async () => {
  answer = () => new Promise(() => {});
  probing.set({ config, target });
  await become(true);
  expect(probing.stuck(performance.now())).toBeUndefined();
  expect(probing.stuck(performance.now() + 32_999)).toBeUndefined();
  expect(probing.stuck(performance.now() + 33_000)).toBe('the probe of tunnel db hangs: its timeout passed 30 s ago');
});
