import { type IncomingMessage, request } from 'node:http';
import type { Duplex } from 'node:stream';
import { TunnelError } from '../../base/errors.ts';
import { type Address, formatAddress } from '../../base/net/address.ts';
import { printable } from '../../base/text/printable.ts';
import type { JsonValue, ProbeCheck } from '../../config/config.ts';
import type { ChannelSource } from '../channel/channel-source.ts';
import { difference } from './json-subset.ts';
import { QUOTED_LIMIT, throughChannel, wrongAnswer } from './through-channel.ts';

export type HttpCheck = Extract<ProbeCheck, { kind: 'http' }>;

/** What of a check its request is made of. */
type Asked = Pick<HttpCheck, 'path'>;

const MAX_HEADER_BYTES = 16 * 1024;
const MAX_BODY_BYTES = 64 * 1024;

/** How the request is called in messages. */
function nameOf(check: Asked): string {
  return `GET ${printable(check.path, QUOTED_LIMIT)}`;
}

/** What went wrong below the answer, by the code that node:http gives it (`HPE_…`: its parser). */
function failure(check: Asked, error: Error): TunnelError {
  const code = 'code' in error ? String(error.code) : '';
  if (code === 'HPE_HEADER_OVERFLOW') {
    return wrongAnswer(`${nameOf(check)} answered with more than ${MAX_HEADER_BYTES / 1024} KiB of headers`, error);
  }
  if (code.startsWith('HPE_')) return wrongAnswer(`${nameOf(check)} was answered with something else than HTTP`, error);
  return wrongAnswer(`${nameOf(check)}: the target closed the connection before its answer was complete`, error);
}

async function readBody(check: Asked, response: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > maxBytes) {
      throw wrongAnswer(`${nameOf(check)} answered more than ${maxBytes / 1024} KiB`);
    }
  }
  return Buffer.concat(chunks, length);
}

function judgeBody(check: HttpCheck, expected: JsonValue, answer: unknown): void {
  const found = difference(expected, answer);
  if (found !== undefined) throw wrongAnswer(`${nameOf(check)}: ${found}`);
}

async function readJson(check: Asked, response: IncomingMessage, maxBytes: number): Promise<unknown> {
  const body = await readBody(check, response, maxBytes).catch((error: Error) => {
    throw error instanceof TunnelError ? error : failure(check, error);
  });
  try {
    return JSON.parse(body.toString());
  } catch (error) {
    throw wrongAnswer(`${nameOf(check)} answered no JSON`, error);
  }
}

/** The answer's head; rejects when the connection ends or breaks before it. */
function send(stream: Duplex, target: Address, check: Asked, over: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    // With a connection of its own and no agent, node:http sends `Connection: close` and keeps nothing afterwards.
    const outgoing = request({
      createConnection: () => stream,
      path: check.path,
      headers: {
        Host: target.kind === 'tcp' ? formatAddress(target) : 'localhost',
        'User-Agent': 'fleet-mesh-probe',
        Accept: '*/*',
      },
      maxHeaderSize: MAX_HEADER_BYTES,
      signal: over,
    });
    outgoing.on('response', (response) => {
      // Owned from birth: it fails when the connection is dropped with its body unread.
      response.on('error', () => {});
      resolve(response);
    });
    // Without a listener node:http would drop the connection silently.
    outgoing.on('upgrade', (response) => resolve(response));
    outgoing.on('error', (error) => reject(failure(check, error)));
    outgoing.end();
  });
}

async function answered(
  stream: Duplex,
  target: Address,
  check: Asked & Pick<HttpCheck, 'status'>,
  over: AbortSignal,
): Promise<IncomingMessage> {
  const response = await send(stream, target, check, over);
  if (response.statusCode !== check.status) {
    throw wrongAnswer(`${nameOf(check)} answered ${response.statusCode}, expected ${check.status}`);
  }
  return response;
}

async function exchange(stream: Duplex, target: Address, check: HttpCheck, over: AbortSignal): Promise<void> {
  const response = await answered(stream, target, check, over);
  if (check.json === undefined) return;
  judgeBody(check, check.json, await readJson(check, response, MAX_BODY_BYTES));
}

/**
 * One GET over a channel of its own (RFC 9112): the status must be equal, and `json`, if given, be contained in the
 * answer. A redirect is an answer like any other.
 */
export async function probeHttp(
  source: ChannelSource,
  target: Address,
  check: HttpCheck,
  signal: AbortSignal,
): Promise<void> {
  await throughChannel(source, target, signal, (stream, over) => exchange(stream, target, check, over));
}

/** The JSON that a GET is answered with, 200 and up to so many bytes, over a channel of its own. Rejects like a probe. */
export async function fetchJson(
  source: ChannelSource,
  target: Address,
  { path, maxBytes }: { readonly path: string; readonly maxBytes: number },
  signal: AbortSignal,
): Promise<unknown> {
  return throughChannel(source, target, signal, async (stream, over) =>
    readJson({ path }, await answered(stream, target, { path, status: 200 }, over), maxBytes),
  );
}
