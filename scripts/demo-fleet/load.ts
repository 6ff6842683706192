import { httpGet } from '../../tests/support/http-get.ts';
import { type RequestLoop, startLoop } from '../../tests/support/request-loop.ts';
import type { DemoPorts } from './ports.ts';

const EVERY_MS = 25;
const TIMEOUT_MS = 5_000;

export const REQUESTS_PER_SECOND = 1_000 / EVERY_MS;

/** A steady client: requests through both tunnels in turn, each on a connection of its own. */
export function startLoad({ stateHub, issueCore }: DemoPorts): RequestLoop {
  const urls = [`http://127.0.0.1:${stateHub}/state/health`, `http://127.0.0.1:${issueCore}/healthz`];
  return startLoop(async (number) => {
    const url = String(urls[number % urls.length]);
    const { status, body } = await httpGet(url, { timeoutMs: TIMEOUT_MS });
    if (status !== 200 || !body.includes('"ok"')) throw new Error(`${url} answered ${status} ${body}`);
  }, EVERY_MS);
}

/** How it went so far, in words. */
export function loadText(load: Pick<RequestLoop, 'served' | 'failed'>): string {
  return `${load.served()} requests served, ${load.failed()} failed`;
}
