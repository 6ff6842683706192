/** The services of the runbook's fleet, run inside the box: the hub and issue-core at both places, and the pods' bridges. */
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect, createServer } from 'node:net';

type Answers = Readonly<Record<string, { readonly status?: number; readonly body: object }>>;

const HUB: Answers = {
  'GET /state/health': { body: { status: 'ok', db: 'connected' } },
  'GET /state/summary': { body: { workstreams: 12, tasks: 340, progress_events: 5210 } },
};
const ISSUES: Answers = {
  'GET /healthz': { body: { status: 'ok' } },
  'POST /issues': { status: 201, body: { id: 4711, label: 'smoke' } },
};

function serve(answers: Answers, host: string, port: number): void {
  const answer = ({ method, url }: IncomingMessage, response: ServerResponse) => {
    const { status = 200, body } = answers[`${method} ${url}`] ?? { status: 404, body: { error: 'not found' } };
    response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`);
  };
  createHttpServer(answer).listen(port, host);
}

/** A bridge pod: an address of the cluster that leads to a local port of the node. */
function bridge(host: string, port: number, to: number): void {
  createServer((client) => {
    const onward = connect(to, '127.0.0.1');
    client.on('error', () => onward.destroy()).pipe(onward);
    onward.on('error', () => client.destroy()).pipe(client);
  }).listen(port, host);
}

serve(HUB, '10.43.0.11', 8000);
serve(ISSUES, '10.43.0.12', 8765);
serve(HUB, '127.0.0.1', 8000);
serve(ISSUES, '10.42.0.20', 8765);
bridge('10.42.0.11', 8000, 18_000);
bridge('10.42.0.12', 8765, 18_765);
