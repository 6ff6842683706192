import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { figure, microseconds, runTool } from './run-tool.ts';
import type { Way } from './ways.ts';

/** One row of the table. */
export interface Row {
  readonly title: string;
  readonly better: 'less' | 'more';
  /** Our figure divided by that of `ssh -L` must reach this; undefined: no goal. */
  readonly goal?: number;
  /** The same against `ssh -L` with aes128-gcm. */
  readonly goalOfGcm?: number;
}

export interface Load {
  readonly name: string;
  readonly rows: Readonly<Record<string, Row>>;
  /** The figures of one round over one way, by row. */
  run(way: Way, seconds: number): Promise<Readonly<Record<string, number>>>;
}

/** Clock ticks of the kernel, in seconds (proc(5): USER_HZ is 100 on Linux). */
const TICK = 0.01;

/** CPU time of a process so far, in seconds. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK;
}

/** wrk with kept connections: the latency and the rate of small requests. */
async function wrk(way: Way, connections: number, seconds: number) {
  const url = `http://127.0.0.1:${way.ports.web}/`;
  const args = ['-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '10s', '--latency', url];
  const output = await runTool('wrk', args, seconds + 30);
  return {
    p50: microseconds(output, /\s50%\s+([\d.]+)([a-z]+)/),
    p99: microseconds(output, /\s99%\s+([\d.]+)([a-z]+)/),
    rate: figure(output, /Requests\/sec:\s+([\d.]+)/),
  };
}

/** ab without keep-alive: one connection for each request. */
async function newConnections(way: Way, clients: number, seconds: number): Promise<number> {
  const args = ['-q', '-r', '-t', `${seconds}`, '-n', '1000000', '-c', `${clients}`];
  const output = await runTool('ab', [...args, `http://127.0.0.1:${way.ports.web}/`], seconds + 60);
  const failed = /Failed requests:\s+(\d+)/.exec(output)?.[1];
  if (failed !== '0') throw new Error(`${way.name}: ${failed} requests failed`);
  return figure(output, /Requests per second:\s+([\d.]+)/);
}

/** One iperf3 stream: its rate in MB/s, and the CPU time of the client's process in seconds for a GB. */
async function bulk(way: Way, direction: 'down' | 'up', seconds: number) {
  // The server takes one test at a time, and ends a test later than its client does.
  await pause(500);
  const before = way.pid === undefined ? 0 : cpuSeconds(way.pid);
  const args = ['-c', '127.0.0.1', '-p', `${way.ports.bulk}`, '-t', `${seconds}`, '-J'];
  const output = await runTool('iperf3', direction === 'down' ? [...args, '-R'] : args, seconds + 60);
  const { end, error } = JSON.parse(output) as {
    end: { sum_received?: { bytes: number; bits_per_second: number } };
    error?: string;
  };
  const received = end.sum_received;
  if (received === undefined) throw new Error(`${way.name}: iperf3: ${error}`);
  const used = way.pid === undefined ? undefined : (cpuSeconds(way.pid) - before) / (received.bytes / 1e9);
  return { rate: received.bits_per_second / 8e6, cpu: used };
}

/** redis-benchmark with ten clients: requests/s. */
async function redis(way: Way, keep: boolean, seconds: number): Promise<number> {
  // The tool counts requests, not seconds: about as many as fit.
  const requests = Math.round(seconds * (keep ? 20_000 : 1_500));
  const args = ['-p', `${way.ports.store}`, '-c', '10', '-n', `${requests}`, '-t', 'ping_mbulk', '--csv'];
  const output = await runTool('redis-benchmark', keep ? args : [...args, '-k', '0'], 30 * seconds + 60);
  return figure(output, /^"PING_MBULK","([\d.]+)"/m);
}

/** The loads of a long line: one stream, and small requests while a stream runs. */
export const LONG_LOADS: readonly Load[] = [
  {
    name: 'line',
    rows: {
      down: { title: 'bulk down, 1 stream (MB/s)', better: 'more', goal: 2 },
      up: { title: 'bulk up, 1 stream (MB/s)', better: 'more' },
      beside: { title: 'request p50 beside a bulk stream (µs)', better: 'less', goal: 1.1 },
    },
    run: async (way, seconds) => {
      const down = await bulk(way, 'down', seconds);
      const up = await bulk(way, 'up', seconds);
      const [, beside] = await Promise.all([bulk(way, 'down', seconds + 1), wrk(way, 4, seconds)]);
      return { down: down.rate, up: up.rate, beside: beside.p50 };
    },
  },
];

export const LOADS: readonly Load[] = [
  {
    name: 'one',
    rows: {
      p50: { title: 'request p50, 1 kept connection (µs)', better: 'less', goal: 1 },
      p99: { title: 'request p99, 1 kept connection (µs)', better: 'less', goal: 0.05 },
      rate: { title: 'requests/s, 1 kept connection', better: 'more' },
    },
    run: (way, seconds) => wrk(way, 1, seconds),
  },
  {
    name: 'fifty',
    rows: {
      rate: { title: 'requests/s, 50 kept connections', better: 'more', goal: 1.3 },
      p99: { title: 'request p99, 50 kept connections (µs)', better: 'less', goal: 0.1 },
    },
    run: async (way, seconds) => {
      const { rate, p99 } = await wrk(way, 50, seconds);
      return { rate, p99 };
    },
  },
  {
    name: 'new',
    rows: {
      one: { title: 'new connections/s, 1 client', better: 'more', goal: 40 },
      ten: { title: 'new connections/s, 10 clients', better: 'more', goal: 12 },
      fifty: { title: 'new connections/s, 50 clients', better: 'more', goal: 2 },
    },
    run: async (way, seconds) => ({
      one: await newConnections(way, 1, seconds),
      ten: await newConnections(way, 10, seconds),
      fifty: await newConnections(way, 50, seconds),
    }),
  },
  {
    name: 'bulk',
    rows: {
      down: { title: 'bulk down, 1 stream (MB/s)', better: 'more', goal: 1.6, goalOfGcm: 1 },
      up: { title: 'bulk up, 1 stream (MB/s)', better: 'more', goal: 1.6, goalOfGcm: 1 },
      cpuDown: { title: "CPU of the client's process, down (s/GB)", better: 'less', goal: 0.6 },
      cpuUp: { title: "CPU of the client's process, up (s/GB)", better: 'less', goal: 0.6 },
    },
    run: async (way, seconds) => {
      const down = await bulk(way, 'down', seconds);
      const up = await bulk(way, 'up', seconds);
      return {
        down: down.rate,
        up: up.rate,
        ...(down.cpu === undefined || up.cpu === undefined ? {} : { cpuDown: down.cpu, cpuUp: up.cpu }),
      };
    },
  },
  {
    name: 'redis',
    rows: {
      fresh: { title: 'redis-benchmark, 10 parallel, new connection each (requests/s)', better: 'more', goal: 1.1 },
      kept: { title: 'redis-benchmark, 10 parallel, kept connections (requests/s)', better: 'more', goal: 1.2 },
    },
    run: async (way, seconds) => ({
      fresh: await redis(way, false, seconds),
      kept: await redis(way, true, seconds),
    }),
  },
];
