import { type ComponentName, referenceTo } from './components.ts';

interface Parameter {
  readonly name: string;
  readonly in: 'query' | 'path' | 'header';
  readonly required: boolean;
  readonly description: string;
  readonly schema: object;
}

const TUNNEL: Parameter = {
  name: 'tunnel',
  in: 'path',
  required: true,
  description: 'The name of a tunnel.',
  schema: { type: 'string' },
};

const query = (name: string, description: string, schema: object = { type: 'string' }): Parameter => ({
  name,
  in: 'query',
  required: false,
  description,
  schema,
});

const json = (component: ComponentName) => ({ 'application/json': { schema: { $ref: referenceTo(component) } } });
const text = (type: string) => ({ [type]: { schema: { type: 'string' } } });
const answer = (description: string, content: object) => ({ description, content });
const problem = (description: string) => ({
  description,
  content: { 'application/problem+json': { schema: { $ref: referenceTo('Problem') } } },
});

const BAD_QUERY = problem('A parameter of the query is unknown or wrong.');
const NO_SUCH_TUNNEL = problem('No tunnel has this name. `tunnels` lists the names.');
const FOREIGN = problem('The Host or Origin header is foreign.');
const NO_PAGE = problem('The page is not built.');
const NOT_READY = problem('Not ready. `reasons` lists the reasons.');

const get = (
  operationId: string,
  summary: string,
  responses: Readonly<Record<string, object>>,
  parameters: readonly Parameter[] = [],
) => ({ get: { operationId, summary, parameters, responses: { ...responses, 403: FOREIGN } } });

/** Every path of the endpoint. The key is the path with parameters in braces. */
export const PATHS = {
  '/': get('getPage', 'The status page for a browser.', {
    200: answer('The page.', text('text/html')),
    503: NO_PAGE,
  }),
  '/status': get(
    'getStatus',
    'The snapshot of the whole node.',
    {
      200: answer('The snapshot; as a page for a browser.', {
        ...json('Status'),
        ...text('text/plain'),
        ...text('text/html'),
      }),
      400: BAD_QUERY,
      503: NO_PAGE,
    },
    [query('format', 'Wins over the Accept header.', { enum: ['json', 'text'] })],
  ),
  '/status/{tunnel}': get(
    'getTunnel',
    'One tunnel of the snapshot.',
    { 200: answer('The tunnel.', json('Tunnel')), 404: NO_SUCH_TUNNEL },
    [TUNNEL],
  ),
  '/livez': get('getLivez', 'Whether the daemon makes progress, whatever its peers do.', {
    200: answer('The daemon makes progress.', json('Alive')),
    503: problem('The supervisor makes no progress. Restart the daemon.'),
  }),
  '/readyz': get(
    'getReadyz',
    'Whether the configuration is applied and every listener is bound.',
    { 200: answer('Ready.', json('Ready')), 400: BAD_QUERY, 503: NOT_READY },
    [query('production', 'Also asks whether every production tunnel is up.', { enum: ['true', 'false'] })],
  ),
  '/readyz/{tunnel}': get(
    'getTunnelReadyz',
    'Whether one tunnel is up, or out of service on purpose.',
    { 200: answer('Ready.', json('Ready')), 404: NO_SUCH_TUNNEL, 503: NOT_READY },
    [TUNNEL],
  ),
  '/metrics': get('getMetrics', 'The metrics in the text format of Prometheus.', {
    200: answer('The metrics.', text('text/plain')),
  }),
  '/drain': get('getVerdicts', 'The retirement verdicts on all tunnels.', {
    200: answer('A verdict is an answer, so the status is 200 for each verdict.', json('VerdictList')),
    400: BAD_QUERY,
  }),
  '/drain/{tunnel}': get(
    'getVerdict',
    'The retirement verdict on one tunnel, or a gate for scripts.',
    {
      200: answer('The verdict. With `require`, the tunnel is retirable or retired.', json('Verdict')),
      400: BAD_QUERY,
      404: NO_SUCH_TUNNEL,
      503: answer('With `require`: not retirable. Retry-After says when to ask again.', json('Verdict')),
    },
    [
      TUNNEL,
      query('require', 'Turns the answer into a gate for `curl -fsS --retry`.', { enum: ['retirable'] }),
      query('wait', 'With `require`: waits so long for the gate to open. A duration such as 30s, 5m at most.'),
    ],
  ),
  '/plan': get('getPlan', 'The drain plan in force, with its progress.', {
    200: answer('The plan.', json('Plan')),
    404: problem('No plan is configured.'),
    503: problem('The plan cannot be used.'),
  }),
  '/events': get(
    'getEvents',
    'Past events, or a stream of events.',
    {
      200: answer('The events, oldest first.', { ...json('Events'), ...text('text/event-stream') }),
      400: BAD_QUERY,
      404: NO_SUCH_TUNNEL,
      503: problem('Too many clients follow events.'),
    },
    [
      query('since', 'A time (RFC 3339), or a span such as 24h.'),
      query('tunnel', 'Only events of this tunnel.'),
      {
        name: 'Last-Event-ID',
        in: 'header',
        required: false,
        description: 'Resumes a stream after this event.',
        schema: { type: 'string' },
      },
    ],
  ),
  '/history': get('getHistory', 'The states of all tunnels in the last hour.', {
    200: answer('A letter for each sample.', json('Hour')),
  }),
  '/history/{tunnel}': get(
    'getTunnelHistory',
    'The last hour of one tunnel: state, connections, traffic, probe.',
    { 200: answer('The samples, oldest first.', json('TunnelHour')), 404: NO_SUCH_TUNNEL },
    [TUNNEL],
  ),
  '/fleet': get('getFleet', 'The nodes that the links reach, as their own daemons answer.', {
    200: answer('The nodes. The daemon asks them at most every ten seconds.', json('Fleet')),
    400: BAD_QUERY,
  }),
  '/sd': get('getScrapeTargets', 'Prometheus HTTP service discovery for the nodes that have answered.', {
    200: answer('The targets.', json('ScrapeTargets')),
    400: BAD_QUERY,
  }),
  '/openapi.json': get('getOpenApi', 'This description.', {
    200: answer('An OpenAPI 3.1 document.', { 'application/json': { schema: { type: 'object' } } }),
  }),
} as const;
