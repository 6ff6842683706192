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

/** Every path that is not one of ours lists those that are. */
export function sendNotFound(reply: FastifyReply): FastifyReply {
  return sendProblem(reply, {
    status: 404,
    code: 'no_such_path',
    title: 'Not Found',
    detail: `There is nothing at this path. Paths: ${PATHS.join(' ')}`,
    members: { paths: PATHS },
  });
}

/** A tunnel name that is not configured is answered with those that are. */
export function sendNoSuchTunnel(reply: FastifyReply, names: readonly string[]): FastifyReply {
  return sendProblem(reply, {
    status: 404,
    code: 'no_such_tunnel',
    title: 'No Such Tunnel',
    detail: `No tunnel has this name. Tunnels: ${names.join(' ') || 'none is configured'}`,
    members: { tunnels: names },
  });
}
