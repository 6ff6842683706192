import { createServer as createHttpServer } from 'node:http';
import { type LoopbackServer, listenLoopback } from './loopback.ts';

/** An HTTP service on loopback that sends its name, and can fail in several ways. */
export interface Hub extends LoopbackServer {
  readonly name: string;
  /** The health check answers 503 while this is false; all other paths are still served. */
  healthy: boolean;
  /** The JSON of `/state/summary`. */
  summary: unknown;
}

/** Connections are kept alive for as long as the client likes: none is ever closed between two requests. */
export async function startHub(name: string): Promise<Hub> {
  const http = createHttpServer({ keepAliveTimeout: 0 }, (request, response) => {
    const say = (status: number, body: unknown) => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(body));
    };
    if (request.url === '/state/health') say(hub.healthy ? 200 : 503, { status: hub.healthy ? 'ok' : 'ill' });
    else if (request.url === '/state/summary') say(200, hub.summary);
    else say(200, { hub: name });
  });
  const server = await listenLoopback((socket) => http.emit('connection', socket));
  const hub: Hub = {
    ...server,
    name,
    healthy: true,
    summary: { tasks: 340, progress_events: 5210 },
  };
  return hub;
}
