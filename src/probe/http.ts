import { type IncomingMessage, request } from 'node:http';
import type { Duplex } from 'node:stream';
import { type Address, formatAddress } from '../address.ts';
import type { JsonValue, ProbeCheck } from '../config/config.ts';
import { TunnelError } from '../errors.ts';
import type { ChannelSource } from '../forward/channel-source.ts';
import { printable } from '../printable.ts';
import { difference } from './json-subset.ts';
import { throughChannel } from './through-channel.ts';
import { QUOTED_LIMIT, wrongAnswer } from './wrong-answer.ts';

export type HttpCheck = Extract<ProbeCheck, { kind: 'http' }>;

const MAX_HEADER_BYTES = 16 * 1024;
const MAX_BODY_BYTES = 64 * 1024;

/** How the request is called in messages. */
function nameOf(check: HttpCheck): string {
  return `GET ${printable(check.path, QUOTED_LIMIT)}`;
}

/** What went wrong below the answer, by the code that node:http gives it (`HPE_…`: its parser). */
function failure(check: HttpCheck, error: Error): TunnelError {
  const code = 'code' in error ? String(error.code) : '';
  if (code === 'HPE_HEADER_OVERFLOW') {
    return wrongAnswer(`${nameOf(check)} answered with more than ${MAX_HEADER_BYTES / 1024} KiB of headers`, error);
  }
  if (code.startsWith('HPE_')) return wrongAnswer(`${nameOf(check)} was answered with something else than HTTP`, error);
  return wrongAnswer(`${nameOf(check)}: the target closed the connection before its answer was complete`, error);
}

async function readBody(check: HttpCheck, response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > MAX_BODY_BYTES) {
      throw wrongAnswer(`${nameOf(check)} answered more than ${MAX_BODY_BYTES / 1024} KiB`);
    }
  }
  return Buffer.concat(chunks, length);
}

function judgeBody(check: HttpCheck, expected: JsonValue, body: Buffer): void {
  let answer: unknown;
  try {
    answer = JSON.parse(body.toString());
  } catch (error) {
    throw wrongAnswer(`${nameOf(check)} answered no JSON`, error);
  }
  const found = difference(expected, answer);
  if (found !== undefined) throw wrongAnswer(`${nameOf(check)}: ${found}`);
}

/** The answer's head; rejects when the connection ends or breaks before it. */
function send(stream: Duplex, target: Address, check: HttpCheck, over: AbortSignal): Promise<IncomingMessage> {
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

async function exchange(stream: Duplex, target: Address, check: HttpCheck, over: AbortSignal): Promise<void> {
  const response = await send(stream, target, check, over);
  if (response.statusCode !== check.status) {
    throw wrongAnswer(`${nameOf(check)} answered ${response.statusCode}, expected ${check.status}`);
  }
  if (check.json === undefined) return;
  const body = await readBody(check, response).catch((error: Error) => {
    throw error instanceof TunnelError ? error : failure(check, error);
  });
  judgeBody(check, check.json, body);
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
