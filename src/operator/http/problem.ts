import type { FastifyReply } from 'fastify';
import { jsonText } from './json-text.ts';

/** An error answer (RFC 9457). `code` becomes the type `urn:fleet-mesh:problem:<code>`. */
export interface Problem {
  readonly status: number;
  readonly code: string;
  readonly title: string;
  /** One sentence: the fault of this request, and the fix. */
  readonly detail: string;
  /** Further members, snake_case. */
  readonly members?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
}

export const PROBLEM_TYPE = 'application/problem+json; charset=utf-8';

/** Sent with every answer. Other pages in a browser get nothing: no framing, no caching, no scripts, no CORS. */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
};

export function problemBody(problem: Problem): string {
  const { code, title, status, detail, members } = problem;
  return jsonText({ type: `urn:fleet-mesh:problem:${code}`, title, status, detail, ...members });
}

export function sendProblem(reply: FastifyReply, problem: Problem): FastifyReply {
  return reply
    .code(problem.status)
    .headers({ ...SECURITY_HEADERS, ...problem.headers })
    .type(PROBLEM_TYPE)
    .send(problemBody(problem));
}

/** The same answer as a complete HTTP/1.1 message, for a socket without a reply object. The connection closes afterwards. */
export function rawProblem(problem: Problem): string {
  const body = problemBody(problem);
  const headers = {
    ...SECURITY_HEADERS,
    ...problem.headers,
    'content-type': PROBLEM_TYPE,
    'content-length': String(Buffer.byteLength(body)),
    connection: 'close',
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${problem.status} ${problem.title}\r\n${lines.join('')}\r\n${body}`;
}
