import type { FastifyReply } from 'fastify';
import { PATHS } from './openapi/paths.ts';
import { sendProblem } from './problem.ts';

/** The answer for an unknown path lists all paths. */
export function sendNotFound(reply: FastifyReply): FastifyReply {
  const paths = Object.keys(PATHS);
  return sendProblem(reply, {
    status: 404,
    code: 'no_such_path',
    title: 'Not Found',
    detail: `This path does not exist. Paths: ${paths.join(' ')}`,
    members: { paths },
  });
}

/** The answer for an unknown tunnel lists all tunnels. */
export function sendNoSuchTunnel(reply: FastifyReply, names: readonly string[]): FastifyReply {
  return sendProblem(reply, {
    status: 404,
    code: 'no_such_tunnel',
    title: 'No Such Tunnel',
    detail: `No tunnel has this name. Tunnels: ${names.join(' ') || 'none is configured'}`,
    members: { tunnels: names },
  });
}
