import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { Entrance } from '../peers/entrance.ts';

interface Failure {
  /** performance.now() of its beginning and its end. */
  readonly from: number;
  readonly to: number;
  readonly why: string;
}

export interface SteadyResult {
  readonly served: number;
  readonly failures: readonly Failure[];
  /** The longest that a request took, in milliseconds. */
  readonly slowestMs: number;
}

export interface SteadyClient {
  /** Runs `act` in the gap between two requests, so that none is under way. */
  inTheGap(act: () => void): Promise<void>;
  /** How many requests were answered so far. */
  served(): number;
  stop(): Promise<SteadyResult>;
}

/** Makes one echo request after the other, each on a connection of its own, with `everyMs` between the beginnings. */
export function startSteadyClient(port: number, everyMs: number): SteadyClient {
  const failures: Failure[] = [];
  const gaps: (() => void)[] = [];
  let served = 0;
  let slowestMs = 0;
  let stopped = false;
  const run = async () => {
    while (!stopped) {
      const from = performance.now();
      try {
        await echoOnce(port, `request ${served}`);
        served += 1;
      } catch (error) {
        failures.push({ from, to: performance.now(), why: String(error) });
      }
      const tookMs = performance.now() - from;
      slowestMs = Math.max(slowestMs, tookMs);
      for (const act of gaps.splice(0)) act();
      await pause(Math.max(0, everyMs - tookMs));
    }
    return { served, failures, slowestMs };
  };
  const running = run();
  return {
    inTheGap: (act) =>
      new Promise((resolve) => {
        gaps.push(() => {
          act();
          resolve();
        });
      }),
    served: () => served,
    stop: () => {
      stopped = true;
      return running;
    },
  };
}

/**
 * One request to an echo on a connection of its own, with both ends of stream; rejects on anything but its echo. The
 * text is ASCII.
 */
export function echoOnce(to: number | Entrance, text = 'hello', timeoutMs = 15_000): Promise<number> {
  const { at, preface } = typeof to === 'number' ? { at: { port: to } } : to;
  const wanted = `${preface?.heard.toString('latin1') ?? ''}${text}`;
  const from = performance.now();
  return new Promise((resolve, reject) => {
    let received = '';
    const socket = connect({ ...('path' in at ? at : { host: '127.0.0.1', ...at }), allowHalfOpen: true });
    socket.setTimeout(timeoutMs, () => socket.destroy(new Error(`silent for ${timeoutMs} ms`)));
    socket.once('error', reject);
    socket.on('data', (chunk: Buffer) => {
      received += chunk.toString('latin1');
    });
    socket.once('close', () => reject(new Error(`closed after ${JSON.stringify(received)}`)));
    socket.once('end', () => {
      if (received === wanted) resolve(performance.now() - from);
      socket.end();
    });
    if (preface) socket.write(preface.said);
    socket.end(text);
  });
}
