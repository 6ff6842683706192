import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import { TunnelError } from '../../base/errors.ts';
import type { TcpAddress } from '../../base/net/address.ts';
import { listenError } from '../../base/net/listen-error.ts';
import type { Logger } from '../../telemetry/log/log.ts';
import { answerClientError } from './client-error.ts';
import { Connections } from './connections.ts';
import { METHOD_NOT_ALLOWED, namesPath, refusal } from './guard.ts';
import { jsonText } from './json-text.ts';
import { sendNotFound } from './not-found.ts';
import { PROBLEM_TYPE, type Problem, problemBody, rawProblem, SECURITY_HEADERS, sendProblem } from './problem.ts';
import { drainRoute } from './routes/drain.ts';
import { eventsRoute } from './routes/events.ts';
import { fleetRoute } from './routes/fleet.ts';
import { livezRoute, readyzRoute } from './routes/health.ts';
import { metricsRoute } from './routes/metrics.ts';
import { openApiRoute } from './routes/openapi.ts';
import { historyRoute, pageRoute } from './routes/page.ts';
import { planRoute } from './routes/plan.ts';
import { statusRoute, tunnelRoute } from './routes/status.ts';
import type { Sources } from './sources.ts';
import { Turns } from './turns.ts';

export interface EndpointOptions {
  readonly listen: TcpAddress;
  /** Further accepted host names, without port, besides loopback and the endpoint's own address. */
  readonly allowedHosts: () => readonly string[];
}

export type EndpointDependencies = Sources & {
  readonly log: Logger;
  /**
   * Takes over a socket that systemd has bound to the address. Returns a function that gives the socket back, or
   * undefined without such a socket. Its connections arrive paused.
   */
  adopt?(address: TcpAddress, taker: ConnectionTaker): (() => void) | undefined;
};

interface ConnectionTaker {
  onConnection(socket: Socket): void;
  onError(error: Error): void;
}

/** The read-only HTTP endpoint. */
export interface Endpoint {
  /** Settles with the address actually bound; rejects with a TunnelError. */
  start(): Promise<TcpAddress>;
  /** Closes idle connections at once and gives running answers at most 2 s. Never rejects. */
  stop(): Promise<void>;
}

const STOP_MS = 2_000;

/** Enough for Prometheus, scripts and a few browsers; too few to harm the daemon. */
const LIMITS = {
  connections: { most: 128, reserve: 32, mostUnreadBytes: 32 * 1024 * 1024, mostPipelined: 4 },
  maxHeaderSize: 8 * 1024,
  headersTimeout: 5_000,
  requestTimeout: 10_000,
  connectionsCheckingInterval: 1_000,
  keepAliveTimeout: 15_000,
  /** Idle timeout, in milliseconds. It also ends clients that do not read their answer. */
  connectionTimeout: 30_000,
  maxParamLength: 256,
} as const;

export function createEndpoint(options: EndpointOptions, dependencies: EndpointDependencies): Endpoint {
  const log = dependencies.log;
  const app = createApp(options, dependencies);
  const server: Server = app.server;
  const connections = new Connections(server, LIMITS.connections);
  answerOutsideFastify(server);
  const onError = (err: Error) => log.error({ event: 'endpoint.failed', err }, 'the status endpoint failed');
  let giveBack: (() => void) | undefined;

  return {
    start: async () => {
      await app.ready();
      const onConnection = (socket: Socket) => inject(server, socket);
      giveBack = dependencies.adopt?.(options.listen, { onConnection, onError });
      if (giveBack !== undefined) {
        // Node starts its slow-request timers with this event.
        server.emit('listening');
        return options.listen;
      }
      // Not app.listen: for `localhost` app.listen opens a second server without the limits above.
      const bound = await listen(server, options.listen);
      server.on('error', onError);
      return bound;
    },
    stop: async () => {
      giveBack?.();
      const giveUp = setTimeout(() => connections.destroy(), STOP_MS);
      const closed = app.close();
      connections.close();
      try {
        await closed;
      } catch (err) {
        log.warn({ event: 'endpoint.stop_failed', err }, 'the status endpoint did not stop cleanly');
      } finally {
        clearTimeout(giveUp);
      }
    },
  };
}

/** A connection from a socket of systemd. */
function inject(server: Server, socket: Socket): void {
  server.emit('connection', socket);
  socket.resume();
}

function createApp(options: EndpointOptions, dependencies: EndpointDependencies): FastifyInstance {
  const { log } = dependencies;
  const { host } = options.listen;
  // An address cannot be rebound by DNS. A wildcard is not a valid destination.
  const own = host === '0.0.0.0' || host === '::' ? [] : [host];
  const app = fastify({
    logger: false,
    http: {
      maxHeaderSize: LIMITS.maxHeaderSize,
      headersTimeout: LIMITS.headersTimeout,
      connectionsCheckingInterval: LIMITS.connectionsCheckingInterval,
      // Node would answer 400 without a body: the guard answers with a problem document.
      requireHostHeader: false,
    },
    requestTimeout: LIMITS.requestTimeout,
    keepAliveTimeout: LIMITS.keepAliveTimeout,
    connectionTimeout: LIMITS.connectionTimeout,
    routerOptions: { maxParamLength: LIMITS.maxParamLength, ignoreTrailingSlash: true },
    return503OnClosing: false,
    clientErrorHandler: answerClientError,
    frameworkErrors: (_error, _request, reply) => {
      reply.header('connection', 'close');
      sendProblem(reply, {
        status: 400,
        code: 'bad_url',
        title: 'Bad Request',
        detail: 'The path of the request is not valid.',
      });
    },
  });
  app.removeAllContentTypeParsers();
  app.setReplySerializer((answer) => jsonText(answer));

  app.addHook('onRequest', async (request, reply) => {
    // Requests in the same packet are still parsed after their connection was dropped.
    if (request.raw.socket.destroyed) return reply.hijack();
    reply.headers(SECURITY_HEADERS);
    const { method, url = '', rawHeaders } = request.raw;
    const problem = refusal({ method: method ?? '', url, rawHeaders }, [...options.allowedHosts(), ...own]);
    if (problem === undefined) return namesPath(url) ? undefined : sendNotFound(reply);
    log.debug({ event: 'endpoint.refused', code: problem.code }, problem.detail);
    return sendProblem(reply, problem);
  });
  const turns = new Turns();
  app.addHook('preHandler', async (request, reply) => {
    if (isLight(request)) return;
    await turns.take();
    // Nobody is left to read the answer.
    if (request.raw.socket.destroyed) return reply.hijack();
  });
  app.setNotFoundHandler((_request, reply) => sendNotFound(reply));
  app.setErrorHandler((err, _request, reply) => sendFailure(reply, err, log));

  const routes = [
    pageRoute,
    statusRoute,
    tunnelRoute,
    livezRoute,
    readyzRoute,
    drainRoute,
    eventsRoute,
    metricsRoute,
    planRoute,
    fleetRoute,
    openApiRoute,
    historyRoute,
  ];
  for (const route of routes) route(app, dependencies);
  return app;
}

/** These routes answer at once, or share one answer. A question about tunnels takes a snapshot of its own. */
const LIGHT: ReadonlySet<string | undefined> = new Set(['/', '/livez', '/status', '/metrics', '/openapi.json']);

function isLight({ routeOptions: { url }, raw }: FastifyRequest): boolean {
  return LIGHT.has(url) || (url === '/readyz' && raw.url?.includes('?') !== true);
}

/** Logs internal errors. The client gets only a status, and no details of the daemon. */
function sendFailure(reply: FastifyReply, err: unknown, log: Logger): FastifyReply {
  const status = err instanceof Error && 'statusCode' in err ? Number(err.statusCode) : 500;
  if (status >= 400 && status < 500) {
    return sendProblem(reply, {
      status,
      code: 'bad_request',
      title: 'Bad Request',
      detail: 'The request is not valid.',
    });
  }
  log.error({ event: 'endpoint.failed', err: TunnelError.from(err) }, 'a request failed');
  return sendProblem(reply, {
    status: 500,
    code: 'internal',
    title: 'Internal Error',
    detail: 'This is a bug in fleet-mesh: its log has the details.',
  });
}

/** Requests that Node emits as other events than `request`. By default Node would answer them without a body, or not at all. */
function answerOutsideFastify(server: Server): void {
  server.on('connect', (_request: IncomingMessage, socket: Duplex) => {
    socket.on('error', () => {});
    socket.end(rawProblem(METHOD_NOT_ALLOWED), () => socket.destroy());
  });
  server.on('checkExpectation', (_request: IncomingMessage, response: ServerResponse) => {
    const problem: Problem = {
      status: 417,
      code: 'expectation_failed',
      title: 'Expectation Failed',
      detail: 'The Expect header is not supported.',
    };
    response.writeHead(417, { ...SECURITY_HEADERS, 'content-type': PROBLEM_TYPE, connection: 'close' });
    response.end(problemBody(problem));
  });
}

function listen(server: Server, address: TcpAddress): Promise<TcpAddress> {
  return new Promise((resolve, reject) => {
    const failed = (error: Error) => reject(listenError(address, 'the status endpoint', 'endpoint.listen', error));
    server.once('error', failed);
    server.listen({ host: address.host, port: address.port }, () => {
      server.off('error', failed);
      const bound = server.address();
      if (bound === null || typeof bound === 'string') {
        reject(new TunnelError('internal', 'the status endpoint has no address'));
        return;
      }
      resolve({ kind: 'tcp', host: bound.address, port: bound.port });
    });
  });
}
