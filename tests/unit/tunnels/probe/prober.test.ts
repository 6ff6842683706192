import { createServer } from 'node:http';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { TunnelError } from '../../../../src/base/errors.ts';
import type { TcpAddress } from '../../../../src/base/net/address.ts';
import type { ProbeConfig } from '../../../../src/config/config.ts';
import type { Channel } from '../../../../src/tunnels/channel/channel-source.ts';
import { ProbePace } from '../../../../src/tunnels/probe/pace.ts';
import { jittered, type ProbeResult, Prober } from '../../../../src/tunnels/probe/prober.ts';
import { SocketChannelSource } from '../../../support/fakes/socket-channel-source.ts';
import { TcpServer } from '../../../support/peers/tcp-server.ts';

const config: ProbeConfig = { check: { kind: 'tcp' }, everyMs: 10_000, timeoutMs: 3_000, fall: 3, rise: 2 };
const target: TcpAddress = { kind: 'tcp', host: '192.0.2.1', port: 8000 };

test('keeps the jitter within ten percent', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1e9 }),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (ms, random) => {
        expect(jittered(ms, random)).toBeGreaterThanOrEqual(ms * 0.9);
        expect(jittered(ms, random)).toBeLessThanOrEqual(ms * 1.1);
      },
    ),
  );
});

/** A source whose answer to `open` the test controls, under fake timers. */
class DecidedSource extends SocketChannelSource {
  whenAnswering: (signal: AbortSignal) => Promise<void> = async () => {};
  answer: () => Promise<Channel> = () => Promise.reject(new TunnelError('target_refused', 'refused'));
  opens = 0;

  override open(): Promise<Channel> {
    this.opens++;
    return this.answer();
  }
}

describe('in time', () => {
  let source: DecidedSource;
  let results: ProbeResult[];
  let seconds: number[];
  let stop: AbortController;
  let prober: Prober;
  let done: Promise<void>;

  const refused = () => Promise.reject(new TunnelError('target_refused', 'refused'));
  const lost = () => Promise.reject(new TunnelError('connection_reset', 'lost'));
  const silent = () => new Promise<Channel>(() => {});
  /** A tcp check needs only an open channel, so this channel has no connection. */
  const opened = async (): Promise<Channel> => {
    const { Duplex } = await import('node:stream');
    return { stream: new Duplex({ read() {} }), onLost() {}, close() {} };
  };
  const start = () => {
    done = prober.run(stop.signal);
  };
  const states = () => results.map((result) => result.state);

  beforeEach(() => {
    vi.useFakeTimers();
    source = new DecidedSource();
    results = [];
    seconds = [];
    stop = new AbortController();
    prober = new Prober(
      { config, target },
      {
        source,
        onResult: (result) => results.push(result),
        observeSeconds: (value) => seconds.push(value),
        random: () => 0.5,
      },
    );
  });
  afterEach(async () => {
    stop.abort(new Error('stop'));
    await done;
    expect(vi.getTimerCount()).toBe(0);
    vi.useRealTimers();
  });

  test('probes at once when the link is up, then at each interval', async () => {
    source.answer = opened;
    start();
    await vi.advanceTimersByTimeAsync(0);
    expect(source.opens).toBe(1);
    await vi.advanceTimersByTimeAsync(9_999);
    expect(source.opens).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(source.opens).toBe(2);
    expect(states()).toEqual(['passing', 'passing']);
    expect(seconds).toHaveLength(2);
    expect(prober.status()).toMatchObject({ state: 'passing', consecutive_failures: 0, last_error: null });
    expect(prober.status().latency_ms).toBeTypeOf('number');
  });

  test('does not count the start of the session as latency', async () => {
    source.answer = opened;
    source.whenAnswering = () => new Promise((resolve) => setTimeout(resolve, 45));
    start();
    await vi.advanceTimersByTimeAsync(44);
    expect(source.opens).toBe(0);
    await vi.advanceTimersByTimeAsync(1);
    expect(states()).toEqual(['passing']);
    expect(prober.status().latency_ms).toBeLessThan(45);
    expect(seconds[0]).toBeLessThan(0.045);
  });

  test('goes on without an answer to a keepalive: some servers never answer one', async () => {
    source.answer = opened;
    source.whenAnswering = () => new Promise(() => {});
    start();
    await vi.advanceTimersByTimeAsync(299);
    expect(source.opens).toBe(0);
    await vi.advanceTimersByTimeAsync(1);
    expect(states()).toEqual(['passing']);
  });

  test('ends a probe in time whose session never answers', async () => {
    source.answer = silent;
    source.whenAnswering = (signal) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    start();
    await vi.advanceTimersByTimeAsync(3_000);
    expect(prober.status()).toMatchObject({ consecutive_failures: 1, last_error: { code: 'target_unreachable' } });
  });

  test('takes no turn for a probe that is no longer wanted', async () => {
    const pace = new ProbePace();
    let end = () => {};
    const slow = new Promise<void>((resolve) => {
      end = resolve;
    });
    const others = Array.from({ length: 8 }, () => pace.turn(() => slow));
    const waiting = new Prober(
      { config, target },
      { source, pace, onResult: () => {}, observeSeconds: () => {}, random: () => 0.5 },
    );
    const over = new AbortController();
    const waited = waiting.run(over.signal);
    await vi.advanceTimersByTimeAsync(10);
    over.abort(new Error('stop'));
    await vi.advanceTimersByTimeAsync(10);
    await waited;
    expect(source.opens).toBe(0);
    end();
    await Promise.all(others);
    await vi.advanceTimersByTimeAsync(20);
    start();
  });

  test('does nothing while the link is down, and starts when the link comes up', async () => {
    source.ready = false;
    source.answer = opened;
    start();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(source.opens).toBe(0);
    expect(prober.status()).toEqual({
      state: 'pending',
      last_at: null,
      latency_ms: null,
      consecutive_failures: 0,
      last_error: null,
    });
    source.ready = true;
    prober.runNow();
    await vi.advanceTimersByTimeAsync(0);
    expect(states()).toEqual(['passing']);
  });

  test('reports each failure and each change of the state', async () => {
    start();
    await vi.advanceTimersByTimeAsync(20_000);
    expect(states()).toEqual(['pending', 'pending', 'failing']);
    expect(results.every((result) => result.error?.code === 'target_refused')).toBe(true);
    expect(prober.status()).toMatchObject({
      state: 'failing',
      consecutive_failures: 3,
      latency_ms: null,
      last_error: { code: 'target_refused', message: 'refused' },
    });
    source.answer = opened;
    await vi.advanceTimersByTimeAsync(20_000);
    expect(results.slice(3)).toEqual([
      { state: 'failing', previous: 'failing', error: undefined },
      { state: 'passing', previous: 'failing', error: undefined },
    ]);
  });

  test('fails at the deadline when the target does not answer', async () => {
    source.answer = silent;
    start();
    await vi.advanceTimersByTimeAsync(2_999);
    expect(results).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(results[0]?.error).toMatchObject({
      code: 'target_unreachable',
      message: 'the target accepted no connection within 3 s',
    });
  });

  test('repeats a probe soon after a lost session, without a verdict', async () => {
    source.answer = lost;
    start();
    await vi.advanceTimersByTimeAsync(0);
    expect(results).toEqual([]);
    expect(seconds).toEqual([]);
    source.answer = opened;
    await vi.advanceTimersByTimeAsync(1_000);
    expect(states()).toEqual(['passing']);
    await vi.advanceTimersByTimeAsync(9_999);
    expect(source.opens).toBe(2);
  });

  test('ends the current probe and drops the verdict when the link is lost', async () => {
    source.answer = opened;
    start();
    await vi.advanceTimersByTimeAsync(0);
    source.answer = silent;
    await vi.advanceTimersByTimeAsync(10_000);
    expect(source.opens).toBe(2);
    source.ready = false;
    prober.linkLost();
    expect(prober.status().state).toBe('pending');
    await vi.advanceTimersByTimeAsync(5_000);
    expect(results).toHaveLength(1);
    source.ready = true;
    source.answer = opened;
    prober.runNow();
    await vi.advanceTimersByTimeAsync(0);
    expect(states()).toEqual(['passing', 'passing']);
    expect(results[1]?.previous).toBe('pending');
  });

  test('counts no failures from before the loss of the link', async () => {
    start();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(prober.status().consecutive_failures).toBe(2);
    expect(prober.lastError?.code).toBe('target_refused');
    prober.linkLost();
    expect(prober.lastError).toBeUndefined();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(prober.status()).toMatchObject({ state: 'pending', consecutive_failures: 1 });
  });

  test('applies a new interval at once, and keeps the verdict', async () => {
    source.answer = opened;
    start();
    await vi.advanceTimersByTimeAsync(0);
    prober.reconfigure({ ...config, everyMs: 500 }, { ...target });
    expect(prober.status().state).toBe('passing');
    await vi.advanceTimersByTimeAsync(1_000);
    expect(source.opens).toBe(4);
  });

  test('starts again for a new target, and drops results of the old one', async () => {
    source.answer = opened;
    start();
    await vi.advanceTimersByTimeAsync(0);
    source.answer = silent;
    await vi.advanceTimersByTimeAsync(10_000);
    prober.reconfigure(config, { ...target, port: 8001 });
    expect(prober.status().state).toBe('pending');
    source.answer = refused;
    await vi.advanceTimersByTimeAsync(0);
    expect(states()).toEqual(['passing', 'pending']);
    expect(results[1]?.error?.code).toBe('target_refused');
  });

  test('runs one more probe after any number of runNow calls during a probe', async () => {
    source.answer = silent;
    start();
    await vi.advanceTimersByTimeAsync(0);
    prober.runNow();
    prober.runNow();
    source.answer = opened;
    await vi.advanceTimersByTimeAsync(3_000);
    expect(source.opens).toBe(2);
  });

  test('ends a probe without a result at a stop', async () => {
    source.answer = silent;
    start();
    await vi.advanceTimersByTimeAsync(1_000);
    stop.abort(new Error('stop'));
    await done;
    expect(results).toEqual([]);
  });

  test('reports a foreign error as a failure and a bug', async () => {
    source.answer = () => Promise.reject(new TypeError('oops'));
    start();
    await vi.advanceTimersByTimeAsync(0);
    expect(results[0]?.error).toMatchObject({ code: 'internal', message: 'oops' });
  });
});

test('reaches a verdict by HTTP over a real server', async () => {
  await using server = await TcpServer.of(createServer((_, response) => response.end('{"status":"ok"}')));
  const source = new SocketChannelSource();
  const stop = new AbortController();
  const check = { kind: 'http', path: '/health', status: 200, json: { status: 'ok' } } as const;
  const result = await new Promise<ProbeResult>((resolve) => {
    const prober = new Prober(
      { config: { ...config, check }, target: server.address },
      { source, onResult: resolve, observeSeconds: () => {}, random: Math.random },
    );
    prober.run(stop.signal).catch(() => {});
  });
  stop.abort();
  expect(result).toEqual({ state: 'passing', previous: 'pending', error: undefined });
  expect(source.allClosed).toBe(true);
});
