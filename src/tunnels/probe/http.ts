import { type IncomingMessage, request } from 'node:http';
import type { Duplex } from 'node:stream';
import { TunnelError } from '../../base/errors.ts';
import { type Address, formatAddress } from '../../base/net/address.ts';
import { parseExactJson } from '../../base/text/exact-json.ts';
import { printable } from '../../base/text/printable.ts';
import type { HttpRequest, JsonValue, ProbeCheck, TlsSettings } from '../../config/config.ts';
import type { ChannelSource } from '../channel/channel-source.ts';
import { difference } from './json-subset.ts';
import { QUOTED_LIMIT, throughChannel, wrongAnswer } from './through-channel.ts';
import { secured, serverNameOf, type TakeValidity } from './tls.ts';

export type HttpCheck = Extract<ProbeCheck, { kind: 'http' | 'https' }>;

/** How a service is asked: the virtual host, and TLS. */
export type Manner =
  | { readonly kind: 'http'; readonly host?: string | undefined }
  | ({ readonly kind: 'https'; readonly host?: string | undefined } & TlsSettings);

/** The part of a check that makes its request. */
type Asked = Manner & Pick<HttpRequest, 'path'>;

const MAX_HEADER_BYTES = 16 * 1024;
const MAX_BODY_BYTES = 64 * 1024;

/** The name of the request in messages. */
function nameOf(check: Asked): string {
  return `GET ${printable(check.path, QUOTED_LIMIT)}`;
}

/** Translates an error of node:http by its code (`HPE_…` comes from the parser). */
function failure(check: Asked, error: Error): TunnelError {
  const code = 'code' in error ? String(error.code) : '';
  if (code === 'HPE_HEADER_OVERFLOW') {
    return wrongAnswer(`${nameOf(check)} sent more than ${MAX_HEADER_BYTES / 1024} KiB of headers`, error);
  }
  if (code.startsWith('HPE_')) return wrongAnswer(`${nameOf(check)}: the answer is not HTTP`, error);
  return wrongAnswer(`${nameOf(check)}: the target closed the connection before the end of its answer`, error);
}

async function readBody(check: Asked, response: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > maxBytes) {
      throw wrongAnswer(`${nameOf(check)}: the answer has more than ${maxBytes / 1024} KiB`);
    }
  }
  return Buffer.concat(chunks, length);
}

/** As {@link readBody}; every failure is a TunnelError. */
function receive(check: Asked, response: IncomingMessage, maxBytes: number): Promise<Buffer> {
  return readBody(check, response, maxBytes).catch((error: Error) => {
    throw error instanceof TunnelError ? error : failure(check, error);
  });
}

function judgeBody(check: HttpCheck, expected: JsonValue, answer: unknown): void {
  const found = difference(expected, answer);
  if (found !== undefined) throw wrongAnswer(`${nameOf(check)}: ${found}`);
}

async function readJson(
  check: Asked,
  response: IncomingMessage,
  maxBytes: number,
  parse: (text: string) => unknown = JSON.parse,
): Promise<unknown> {
  const body = await receive(check, response, maxBytes);
  try {
    // RFC 8259 section 8.1: a byte order mark may be ignored.
    return parse(body.toString().replace(/^\uFEFF/, ''));
  } catch (error) {
    throw wrongAnswer(`${nameOf(check)}: the answer is not JSON`, error);
  }
}

/** As configured; over TLS, the name that was asked for in the handshake. */
function hostHeader(target: Address, check: Asked): string {
  const named = check.host ?? (check.kind === 'https' ? check.serverName : undefined);
  return named ?? (target.kind === 'tcp' ? formatAddress(target) : 'localhost');
}

/** Settles with the head of the answer; rejects when the connection ends before that. */
function send(stream: Duplex, target: Address, check: Asked, over: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    // With its own connection and no agent, node:http sends `Connection: close` and keeps nothing afterwards.
    const outgoing = request({
      createConnection: () => stream,
      path: check.path,
      headers: {
        Host: hostHeader(target, check),
        'User-Agent': 'fleet-mesh-probe',
        Accept: '*/*',
      },
      maxHeaderSize: MAX_HEADER_BYTES,
      // Scripts and small devices send bare line feeds (RFC 9112 section 2.2), which curl accepts too. The connection carries one
      // answer, so nobody can hide a second one in it.
      insecureHTTPParser: true,
      signal: over,
    });
    outgoing.on('response', (response) => {
      // From the start: the response fails when its connection is dropped before the body is read.
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
  channel: Duplex,
  target: Address,
  check: Asked & Pick<HttpRequest, 'status'>,
  over: AbortSignal,
  onValidity: TakeValidity = () => {},
): Promise<IncomingMessage> {
  const stream =
    check.kind === 'https' ? await secured(channel, serverNameOf(target, check), check.ca, over, onValidity) : channel;
  const response = await send(stream, target, check, over);
  if (response.statusCode !== check.status) {
    throw wrongAnswer(`${nameOf(check)} answered ${response.statusCode}, expected ${check.status}`);
  }
  return response;
}

async function exchange(
  stream: Duplex,
  target: Address,
  check: HttpCheck,
  over: AbortSignal,
  onValidity: TakeValidity,
): Promise<void> {
  const response = await answered(stream, target, check, over, onValidity);
  if (check.json === undefined) return;
  judgeBody(check, check.json, await readJson(check, response, MAX_BODY_BYTES));
}

/**
 * Sends one GET over its own channel (RFC 9112), over TLS for `https`. The status must be equal, and the answer must contain `json`, if given.
 * A redirect is not followed.
 */
export async function probeHttp(
  source: ChannelSource,
  target: Address,
  check: HttpCheck,
  signal: AbortSignal,
  onValidity: TakeValidity = () => {},
): Promise<void> {
  await throughChannel(source, target, signal, (stream, over) => exchange(stream, target, check, over(), onValidity));
}

/** How a comparison asks the service: as its probe does. */
export function mannerOf(check: ProbeCheck | undefined): Manner {
  if (check?.kind === 'https') return { kind: 'https', host: check.host, ca: check.ca, serverName: check.serverName };
  return { kind: 'http', host: check?.kind === 'http' ? check.host : undefined };
}

/** Fetches the body of a GET over its own channel: status 200, at most `maxBytes`. A redirect is not followed. Rejects like a probe. */
export async function fetchBody(
  source: ChannelSource,
  target: Address,
  { path, maxBytes }: { readonly path: string; readonly maxBytes: number },
  signal: AbortSignal,
): Promise<Buffer> {
  const asked = { kind: 'http' as const, path };
  return throughChannel(source, target, signal, async (stream, over) =>
    receive(asked, await answered(stream, target, { ...asked, status: 200 }, over()), maxBytes),
  );
}

/** Fetches JSON, as {@link parseExactJson} has it, by a GET over its own channel: status 200, at most `maxBytes`. Rejects like a probe. */
export async function fetchExactJson(
  source: ChannelSource,
  target: Address,
  { path, maxBytes, manner }: { readonly path: string; readonly maxBytes: number; readonly manner: Manner },
  signal: AbortSignal,
): Promise<unknown> {
  return throughChannel(source, target, signal, async (stream, over) =>
    readJson(
      { ...manner, path },
      await answered(stream, target, { ...manner, path, status: 200 }, over()),
      maxBytes,
      parseExactJson,
    ),
  );
}
