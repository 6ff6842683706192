import type { FastifyInstance, FastifyReply } from 'fastify';
import type { TunnelStatus } from '../../../telemetry/status/status.ts';
import { sendNoSuchTunnel } from '../not-found.ts';
import { sendProblem } from '../problem.ts';
import { oneOf, readQuery } from '../query.ts';
import type { Sources } from '../sources.ts';

/** `GET /livez`: whether the daemon makes progress. The answer itself proves that the event loop runs. */
export function livezRoute(app: FastifyInstance, sources: Sources): void {
  app.get('/livez', (_request, reply) => {
    if (sources.alive()) return reply.send({ alive: true });
    return sendProblem(reply, {
      status: 503,
      code: 'not_alive',
      title: 'Not Alive',
      detail: 'The supervisor makes no progress. Restart the daemon.',
      members: { alive: false },
    });
  });
}

/**
 * `GET /readyz`: whether the daemon is ready; an unreachable peer does not count. `?production=true` and
 * `/readyz/{tunnel}` check tunnels.
 */
export function readyzRoute(app: FastifyInstance, sources: Sources): void {
  app.get('/readyz', (request, reply) => {
    const query = readQuery(request.query, { production: oneOf(['true', 'false']) });
    if ('problem' in query) return sendProblem(reply, query.problem);
    const judged =
      query.values.production === 'true' ? sources.snapshot().tunnels.filter((tunnel) => tunnel.production) : [];
    return answer(reply, [...ownReasons(sources), ...judged.flatMap(notServing)]);
  });

  app.get<{ Params: { tunnel: string } }>('/readyz/:tunnel', (request, reply) => {
    const { tunnels } = sources.snapshot();
    const tunnel = tunnels.find(({ name }) => name === request.params.tunnel);
    const unready = notApplied(sources);
    // The tunnels of a daemon that starts are not known yet.
    if (tunnel === undefined && unready.length === 0)
      return sendNoSuchTunnel(
        reply,
        tunnels.map(({ name }) => name),
      );
    // An unbound listener of another tunnel does not matter here.
    return answer(reply, [...unready, ...(tunnel ? notServing(tunnel) : [])]);
  });
}

function ownReasons(sources: Sources): readonly string[] {
  return [...notApplied(sources), ...sources.readiness().unbound];
}

function notApplied(sources: Sources): readonly string[] {
  return sources.readiness().applied ? [] : ['The daemon is starting or stopping.'];
}

/** Why a tunnel is not ready. Empty for a tunnel that is up, or out of service on purpose. */
function notServing(tunnel: TunnelStatus): string[] {
  switch (tunnel.state) {
    case 'up':
    case 'draining':
    case 'retired':
    case 'stopped':
      return [];
    case 'degraded':
    case 'down':
    case 'unverified':
      return [
        `${tunnel.name} is ${tunnel.state}: ${tunnel.reason ?? tunnel.last_error?.message ?? 'cause not known yet'}`,
      ];
  }
}

function answer(reply: FastifyReply, reasons: readonly string[]): FastifyReply {
  if (reasons.length === 0) return reply.send({ ready: true, reasons });
  return sendProblem(reply, {
    status: 503,
    code: 'not_ready',
    title: 'Not Ready',
    detail: reasons.join(' '),
    members: { ready: false, reasons },
  });
}
