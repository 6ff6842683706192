import { httpGet } from '../../tests/support/clients/http-get.ts';
import { type RequestLoop, startLoop } from '../../tests/support/clients/request-loop.ts';
import type { DemoFleet } from './start.ts';

const EVERY_MS = 25;
const TIMEOUT_MS = 5_000;
const SLOW_PATH = '/state/slow';
const SLOW_MS = 300;

export const REQUESTS_PER_SECOND = 1_000 / EVERY_MS;

/**
 * A steady client: requests through both tunnels in turn, each over a new connection. The State Hub answers slowly, so some
 * requests are always in flight: ending a session too early would cut them.
 */
export function startLoad({ options: { ports }, stateHub }: DemoFleet): RequestLoop {
  stateHub.set(SLOW_PATH, { body: { status: 'ok' }, delayMs: SLOW_MS });
  const urls = [`http://127.0.0.1:${ports.stateHub}${SLOW_PATH}`, `http://127.0.0.1:${ports.issueCore}/healthz`];
  return startLoop(async (number) => {
    const url = String(urls[number % urls.length]);
    const { status, body } = await httpGet(url, { timeoutMs: TIMEOUT_MS });
    if (status !== 200 || !body.includes('"ok"')) throw new Error(`${url} answered ${status} ${body}`);
  }, EVERY_MS);
}

/** The counts so far, in words. */
export function loadText(load: Pick<RequestLoop, 'served' | 'failed'>): string {
  return `${load.served()} requests served, ${load.failed()} failed`;
}
