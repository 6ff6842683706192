import { request } from 'node:http';
import { z } from 'zod';
import { withDeadline } from '../../base/async/deadline.ts';
import { messageOf } from '../../base/errors.ts';
import { formatAddress, type TcpAddress } from '../../base/net/address.ts';
import { decodeStatus } from '../../telemetry/status/decode-status.ts';
import type { Status } from '../../telemetry/status/status.ts';
import { UNREACHABLE_HINT } from './find-endpoint.ts';

/** The daemon gave no snapshot. The message is one sentence. */
export class StatusUnavailable extends Error {
  override readonly name = 'StatusUnavailable';
  /** What to do, in one line; may be empty. */
  readonly hint: string = UNREACHABLE_HINT;
}

/** A daemon of fleet-mesh answered, but another version than this program. */
class OtherVersion extends StatusUnavailable {
  override readonly hint = 'Restart the daemon after an update, or use the program of the same version.';
}

const DEADLINE_MS = 3_000;
/** Far above a snapshot of hundreds of tunnels (some hundred kilobytes). */
const MAX_BYTES = 16 * 1024 * 1024;

/** Gets the snapshot of the daemon at `endpoint`. Rejects with {@link StatusUnavailable}, or the signal's reason. */
export function fetchStatus(endpoint: TcpAddress, signal: AbortSignal): Promise<Status> {
  return fetchParsed(endpoint, '/status', signal, parse);
}

/** The answer of a path, as it is. */
export function fetchText(endpoint: TcpAddress, path: string, signal: AbortSignal): Promise<string> {
  return fetchParsed(endpoint, path, signal, (body) => body);
}

/** The same for another path. `parseBody` reads the answer, or throws {@link StatusUnavailable}. */
export async function fetchParsed<T>(
  endpoint: TcpAddress,
  path: string,
  signal: AbortSignal,
  parseBody: (body: string, where: string) => T,
  deadlineMs = DEADLINE_MS,
): Promise<T> {
  const where = formatAddress(endpoint);
  const expired = () => new StatusUnavailable(`no answer from ${where} within ${deadlineMs / 1_000} s`);
  try {
    const body = await withDeadline(deadlineMs, signal, expired, (deadline) => get(endpoint, path, deadline));
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
    // The request's own `signal` option would replace the reason with a plain AbortError.
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
        if (size > MAX_BYTES) asked.destroy(new StatusUnavailable('the answer is too long'));
      });
      response.on('end', () => {
        if (response.statusCode === 200) resolve(Buffer.concat(chunks).toString('utf8'));
        else reject(refusedBy(endpoint, response.statusCode, Buffer.concat(chunks).toString('utf8')));
      });
    });
    asked.end();
  });
}

/** The daemon answered with a problem, which gives the reason. */
export class Refused extends StatusUnavailable {
  override readonly hint = '';
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
    return new StatusUnavailable(`${formatAddress(endpoint)} answered ${status}: is another program on this port?`);
  }
}

export function parseJson(body: string, where: string): unknown {
  try {
    return JSON.parse(body);
  } catch (cause) {
    throw new StatusUnavailable(`the answer from ${where} is not JSON: is another program on this port?`, { cause });
  }
}

function parse(body: string, where: string): Status {
  const value = parseJson(body, where);
  try {
    return decodeStatus(value);
  } catch (cause) {
    const { success, data } = anySnapshot.safeParse(value);
    throw success
      ? new OtherVersion(`fleet-mesh ${data.version} at ${where} has a status that this program cannot read`, { cause })
      : new StatusUnavailable(`the answer from ${where} is not a fleet-mesh snapshot of schema 1`, { cause });
  }
}

/** What the snapshots of all versions have. */
const anySnapshot = z.object({ schema: z.int(), node: z.string(), version: z.string(), tunnels: z.array(z.unknown()) });

/** Why there was no answer, in one sentence. */
export function explainFailure(error: unknown, where: string): string {
  const errno = error instanceof Error && 'code' in error ? error.code : undefined;
  switch (errno) {
    case 'ECONNREFUSED':
      return `connection to ${where} refused: the daemon is not running`;
    case 'ECONNRESET':
      return `${where} closed the connection`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `${where} cannot be resolved`;
    default:
      return `${where} is unreachable: ${messageOf(error)}`;
  }
}
