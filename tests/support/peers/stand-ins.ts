import { createServer, type IncomingMessage } from 'node:http';
import { listen } from './loopback.ts';

export interface Answer {
  status?: number;
  body: unknown;
  /** The delay of the answer. */
  delayMs?: number;
}

export interface StandIn extends AsyncDisposable {
  readonly port: number;
  /** Requests so far, as `GET /path`. */
  readonly requests: readonly string[];
  /** Replaces (or adds) the answer of a path; 'silence' never answers. */
  set(path: string, answer: Answer | 'silence'): void;
  stop(): Promise<void>;
}

/** An HTTP service that answers JSON on fixed paths, 404 elsewhere. */
async function startStandIn(answers: Record<string, Answer>, port = 0): Promise<StandIn> {
  const paths = new Map<string, Answer | 'silence'>(Object.entries(answers));
  const requests: string[] = [];
  const server = createServer((request: IncomingMessage, response) => {
    const path = request.url ?? '/';
    requests.push(`${request.method} ${path}`);
    const answer = paths.get(path) ?? { status: 404, body: { error: `no ${path} here` } };
    if (answer === 'silence') return;
    const give = () => {
      response.writeHead(answer.status ?? 200, { 'content-type': 'application/json' });
      response.end(`${JSON.stringify(answer.body)}\n`);
    };
    if (answer.delayMs === undefined) give();
    else setTimeout(give, answer.delayMs);
  });
  const bound = await listen(server, port);
  const stop = async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  };
  return { port: bound, requests, set: (path, answer) => paths.set(path, answer), stop, [Symbol.asyncDispose]: stop };
}

/** The State Hub as the fleet's bridges know it. */
export function startStateHub(port = 0): Promise<StandIn> {
  return startStandIn(
    {
      '/state/health': { body: { status: 'ok', db: 'connected' } },
      '/state/summary': { body: { workstreams: 12, tasks: 340, progress_events: 5210 } },
    },
    port,
  );
}

export function startIssueCore(port = 0): Promise<StandIn> {
  return startStandIn({ '/healthz': { body: { status: 'ok', service: 'issue-core' } } }, port);
}
