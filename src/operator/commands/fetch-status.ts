import { request } from 'node:http';
import { z } from 'zod';
import { withDeadline } from '../../base/async/deadline.ts';
import { messageOf } from '../../base/errors.ts';
import { formatAddress, type TcpAddress } from '../../base/net/address.ts';
import { decodeStatus } from '../../telemetry/status/decode-status.ts';
import type { Status } from '../../telemetry/status/status.ts';

/** Why the daemon's snapshot could not be had, in one sentence for people. */
export class StatusUnavailable extends Error {
  override readonly name = 'StatusUnavailable';
}

const DEADLINE_MS = 3_000;
/** A snapshot of hundreds of tunnels is some hundred kilobytes. */
const MAX_BYTES = 16 * 1024 * 1024;

/** Asks the daemon at `endpoint` for its snapshot. Rejects with {@link StatusUnavailable}, or the signal's reason. */
export function fetchStatus(endpoint: TcpAddress, signal: AbortSignal): Promise<Status> {
  return fetchParsed(endpoint, '/status', signal, parse);
}

/** The same for another path, whose answer `parseBody` reads, or rejects with {@link StatusUnavailable}. */
export async function fetchParsed<T>(
  endpoint: TcpAddress,
  path: string,
  signal: AbortSignal,
  parseBody: (body: string, where: string) => T,
): Promise<T> {
  const where = formatAddress(endpoint);
  const expired = () => new StatusUnavailable(`no answer from ${where} within ${DEADLINE_MS / 1_000} s`);
  try {
    const body = await withDeadline(DEADLINE_MS, signal, expired, (deadline) => get(endpoint, path, deadline));
    return parseBody(body, where);
  } catch (error) {
    signal.throwIfAborted();
    throw error instanceof StatusUnavailable
      ? error
      : new StatusUnavailable(explainFailure(error, where), { cause: error });
  }
}

function get(endpoint: TcpAddress, path: string, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const { host, port } = endpoint;
    const asked = request({ host, port, path, agent: false, headers: { accept: 'application/json' } });
    // The request's own `signal` option would replace the reason by a plain AbortError.
    const onAbort = () => asked.destroy(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    asked.on('error', reject);
    asked.on('response', (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('error', reject);
      response.on('data', (chunk: Buffer) => {
        size += chunk.length;
        chunks.push(chunk);
        if (size > MAX_BYTES) asked.destroy(new StatusUnavailable('the answer is far too long'));
      });
      response.on('end', () => {
        if (response.statusCode === 200) resolve(Buffer.concat(chunks).toString('utf8'));
        else reject(refusedBy(endpoint, response.statusCode, Buffer.concat(chunks).toString('utf8')));
      });
    });
    asked.end();
  });
}

/** What was asked for is not there, or cannot be had: the answer says why. */
export class Refused extends StatusUnavailable {
  readonly code: string;

  constructor(code: string, detail: string) {
    super(detail);
    this.code = code;
  }
}

const problemSchema = z.object({ type: z.string().startsWith('urn:fleet-mesh:problem:'), detail: z.string() });

function refusedBy(endpoint: TcpAddress, status: number | undefined, body: string): StatusUnavailable {
  try {
    const { type, detail } = problemSchema.parse(JSON.parse(body));
    return new Refused(type.slice(type.lastIndexOf(':') + 1), detail);
  } catch {
    return new StatusUnavailable(`${formatAddress(endpoint)} answered ${status}: not fleet-mesh?`);
  }
}

export function parseJson(body: string, where: string): unknown {
  try {
    return JSON.parse(body);
  } catch (cause) {
    throw new StatusUnavailable(`what ${where} answered is not JSON: not fleet-mesh?`, { cause });
  }
}

function parse(body: string, where: string): Status {
  const value = parseJson(body, where);
  try {
    return decodeStatus(value);
  } catch (cause) {
    throw new StatusUnavailable(`what ${where} answered is not a fleet-mesh snapshot of schema 1`, { cause });
  }
}

/** Why nothing was answered, in one sentence. */
export function explainFailure(error: unknown, where: string): string {
  const errno = error instanceof Error && 'code' in error ? error.code : undefined;
  switch (errno) {
    case 'ECONNREFUSED':
      return `nothing listens on ${where}: fleet-mesh is not running there`;
    case 'ECONNRESET':
      return `${where} cut the connection`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `${where} cannot be resolved`;
    default:
      return `${where} cannot be reached: ${messageOf(error)}`;
  }
}
