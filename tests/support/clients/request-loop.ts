import { setTimeout as pause } from 'node:timers/promises';
import type { Entrance } from '../peers/entrance.ts';
import { echoOnce } from './steady-client.ts';

export interface RequestFailure {
  /** performance.now() of its beginning and its end. */
  readonly from: number;
  readonly to: number;
  readonly why: string;
}

export interface LoopResult {
  readonly served: number;
  readonly failures: readonly RequestFailure[];
  /** The longest that a served request took, in milliseconds. */
  readonly slowestMs: number;
}

export interface RequestLoop {
  /**
   * Runs `act` while no request is running. A request on a dying session is always lost, and would hide requests that the
   * daemon lost.
   */
  atRest(act: () => void | Promise<void>): Promise<void>;
  served(): number;
  failed(): number;
  /** performance.now() of the beginning of the last request that was served. */
  lastServedAt(): number;
  stop(): Promise<LoopResult>;
}

/** Sends requests to an echo at intervals, each on its own connection with its own deadline. */
export function startRequestLoop(to: number | Entrance, everyMs = 20, timeoutMs = 10_000): RequestLoop {
  return startLoop((number) => echoOnce(to, `request ${number}`, timeoutMs), everyMs);
}

/**
 * Sends requests at intervals, without waiting for earlier ones: a loop that waits for answers measures no outage.
 * `request` has its own timeout, and rejects unless it was served.
 */
export function startLoop(request: (number: number) => Promise<unknown>, everyMs: number): RequestLoop {
  const failures: RequestFailure[] = [];
  const underWay = new Set<Promise<void>>();
  const atRest: (() => void)[] = [];
  let asked = 0;
  let served = 0;
  let slowestMs = 0;
  let lastServedAt = 0;
  let stopped = false;

  const ask = async () => {
    const from = performance.now();
    try {
      await request(asked++);
      served += 1;
      lastServedAt = from;
      slowestMs = Math.max(slowestMs, performance.now() - from);
    } catch (error) {
      failures.push({ from, to: performance.now(), why: String(error) });
    }
  };
  const rest = () => {
    if (underWay.size === 0) for (const act of atRest.splice(0)) act();
  };
  const run = async () => {
    while (!stopped) {
      const asking: Promise<void> = ask().finally(() => {
        underWay.delete(asking);
        rest();
      });
      underWay.add(asking);
      await pause(everyMs);
    }
    await Promise.all(underWay);
    return { served, failures, slowestMs };
  };
  const running = run();
  return {
    atRest: (act) =>
      new Promise((resolve, reject) => {
        atRest.push(() => {
          try {
            resolve(act());
          } catch (error) {
            reject(error);
          }
        });
        rest();
      }),
    served: () => served,
    failed: () => failures.length,
    lastServedAt: () => lastServedAt,
    stop: () => {
      stopped = true;
      return running;
    },
  };
}
