import type { RequestListener } from 'node:http';
import { createServer } from 'node:https';
import type { TLSSocket } from 'node:tls';
import { listen } from './loopback.ts';

export interface TlsHub extends AsyncDisposable {
  readonly port: number;
  /** Of each request: SNI, Host and path. */
  readonly requests: readonly {
    readonly sni: string | undefined;
    readonly host: string | undefined;
    readonly path: string;
  }[];
}

/** An HTTPS service on loopback that answers `{ status: "ok" }`, unless `answer` says otherwise. */
export async function startTlsHub(
  certificate: { readonly cert: Buffer; readonly key: Buffer },
  answer: RequestListener = (_, response) => response.end('{"status":"ok"}'),
): Promise<TlsHub> {
  const requests: TlsHub['requests'][number][] = [];
  const server = createServer(certificate, (request, response) => {
    const { servername } = request.socket as TLSSocket & { readonly servername?: string | false };
    requests.push({ sni: servername || undefined, host: request.headers.host, path: request.url ?? '' });
    answer(request, response);
  });
  server.on('tlsClientError', () => {});
  const port = await listen(server);
  return {
    port,
    requests,
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}
