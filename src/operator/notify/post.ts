import { withDeadline } from '../../base/async/deadline.ts';
import { messageOf } from '../../base/errors.ts';

/** How one delivery ended. `later`: a repetition can help. */
export type Outcome = { readonly kind: 'delivered' } | { readonly kind: 'later' | 'rejected'; readonly reason: string };

/** A server that answers no sooner has failed, in milliseconds. */
const TIMEOUT_MS = 10_000;

/**
 * Sends one notice. Never throws. The answer is not read beyond its status, and a redirect is not followed: the token is
 * for this server only.
 */
export async function post(
  url: string,
  body: string,
  token: string | undefined,
  signal: AbortSignal,
): Promise<Outcome> {
  const headers = {
    'content-type': 'application/json',
    'user-agent': 'fleet-mesh',
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  };
  try {
    const answer = await withDeadline(TIMEOUT_MS, signal, late, async (bounded) => {
      const head = await fetch(url, { method: 'POST', body, headers, redirect: 'manual', signal: bounded });
      await head.body?.cancel();
      return head;
    });
    if (answer.ok) return { kind: 'delivered' };
    const reason = `the server answered ${answer.status}`;
    return { kind: answer.status >= 500 || RETRYABLE.has(answer.status) ? 'later' : 'rejected', reason };
  } catch (error) {
    // fetch says only "fetch failed": the cause has the reason.
    return { kind: 'later', reason: messageOf(error instanceof Error ? (error.cause ?? error) : error) };
  }
}

const late = () => new Error(`no answer within ${TIMEOUT_MS / 1_000} s`);

/** Request Timeout, Too Early, Too Many Requests (RFC 9110, 8470, 6585). */
const RETRYABLE = new Set([408, 425, 429]);
