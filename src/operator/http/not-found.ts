import type { FastifyReply } from 'fastify';
import { sendProblem } from './problem.ts';

const PATHS = [
  '/status',
  '/status/{tunnel}',
  '/livez',
  '/readyz',
  '/readyz/{tunnel}',
  '/drain',
  '/drain/{tunnel}',
  '/events',
  '/metrics',
  '/plan',
];

/** The answer for an unknown path lists all paths. */
export function sendNotFound(reply: FastifyReply): FastifyReply {
  return sendProblem(reply, {
    status: 404,
    code: 'no_such_path',
    title: 'Not Found',
    detail: `This path does not exist. Paths: ${PATHS.join(' ')}`,
    members: { paths: PATHS },
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
