import { connect } from 'node:net';
import { createEndpoint, type EndpointDependencies, type EndpointOptions } from '../../../src/operator/http/server.ts';
import type { Readiness } from '../../../src/operator/http/sources.ts';
import { LastHour } from '../../../src/operator/page/last-hour.ts';
import { Recent } from '../../../src/retirement/evidence/recent.ts';
import { createLogger } from '../../../src/telemetry/log/log.ts';
import { createMetrics } from '../../../src/telemetry/metrics/metrics.ts';
import type { Status } from '../../../src/telemetry/status/status.ts';
import { fleetFixture } from '../fakes/fleet-fixture.ts';
import { statusFixture } from '../fakes/status-fixture.ts';

export interface RunningEndpoint extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** `http://127.0.0.1:PORT`. */
  readonly url: string;
  readonly lines: string[];
  /** Sets the answer of `/status`. */
  snapshot: Status;
  alive: boolean;
  readiness: Readiness;
  readonly events: Recent;
  readonly lastHour: LastHour;
  stop(): Promise<void>;
  /** Sends raw bytes over a new connection and collects the answer until the server ends the connection. */
  raw(request: string): Promise<string>;
}

/** A real endpoint on a free loopback port, with a snapshot that the test sets. */
export async function startEndpoint(
  changes: { options?: Partial<EndpointOptions>; dependencies?: Partial<EndpointDependencies> } = {},
): Promise<RunningEndpoint> {
  const lines: string[] = [];
  const log = createLogger({ level: 'debug', stream: { write: (line) => void lines.push(line) } });
  const state = {
    snapshot: statusFixture(),
    alive: true,
    readiness: { applied: true, unbound: [] } as Readiness,
    events: new Recent(100),
    lastHour: new LastHour(),
  };
  const endpoint = createEndpoint(
    { listen: { kind: 'tcp', host: '127.0.0.1', port: 0 }, allowedHosts: () => [], ...changes.options },
    {
      snapshot: () => state.snapshot,
      plan: () => undefined,
      alive: () => state.alive,
      readiness: () => state.readiness,
      refreshed: async () => {},
      recorded: async () => {},
      tunnelNames: () => state.snapshot.tunnels.map(({ name }) => name),
      drain: () => undefined,
      events: state.events,
      opened: async () => {},
      fleet: async () => fleetFixture(),
      lastHour: state.lastHour,
      metrics: createMetrics(),
      log,
      ...changes.dependencies,
    },
  );
  state.events.begin(new Recent(0));
  const { host, port } = await endpoint.start();
  const stop = () => endpoint.stop();
  return Object.assign(state, {
    host,
    port,
    url: `http://127.0.0.1:${port}`,
    lines,
    stop,
    raw: (request: string) => exchange(host, port, request),
    [Symbol.asyncDispose]: stop,
  });
}

function exchange(host: string, port: number, request: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect({ host, port }, () => socket.write(request, 'latin1'));
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => {
      answer += text;
    });
    // A server that stops reading sends a reset after its answer.
    socket.on('error', () => {});
    socket.on('close', () => resolve(answer));
  });
}
