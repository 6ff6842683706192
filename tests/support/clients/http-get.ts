import { type IncomingHttpHeaders, request } from 'node:http';

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** One bounded request on a connection of its own: fetch() would keep sockets open and hide what a tunnel did to them. */
export function httpGet(
  url: string,
  options: { headers?: Record<string, string>; method?: string; timeoutMs?: number } = {},
): Promise<HttpAnswer> {
  const { headers = {}, method = 'GET', timeoutMs = 5_000 } = options;
  return new Promise((resolve, reject) => {
    const outgoing = request(
      url,
      { agent: false, method, headers: { connection: 'close', ...headers } },
      (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
        incoming.once('error', fail);
        incoming.once('end', () => {
          clearTimeout(timer);
          resolve({
            status: incoming.statusCode ?? 0,
            headers: incoming.headers,
            body: Buffer.concat(chunks).toString(),
          });
        });
      },
    );
    const timer = setTimeout(() => outgoing.destroy(new Error(`no answer within ${timeoutMs} ms: ${url}`)), timeoutMs);
    const fail = (error: Error) => {
      clearTimeout(timer);
      reject(error);
    };
    outgoing.once('error', fail);
    outgoing.end();
  });
}
