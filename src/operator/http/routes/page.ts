import type { FastifyInstance, FastifyReply } from 'fastify';
import { loadPage, type Page } from '../../page/page.ts';
import { sendNoSuchTunnel } from '../not-found.ts';
import { sendProblem } from '../problem.ts';
import type { Sources } from '../sources.ts';

let page: Page | undefined;

/** `GET /`: the status page. */
export function pageRoute(app: FastifyInstance): void {
  app.get('/', (_request, reply) => sendPage(reply));
}

/** The status page, also for a browser that asks for `/status`. */
export function sendPage(reply: FastifyReply): FastifyReply {
  page ??= loadPage();
  if (page === undefined) {
    return sendProblem(reply, {
      status: 503,
      code: 'no_page',
      title: 'No Status Page',
      detail: 'The status page is not built. Run npm run build, or ask for /status?format=json.',
    });
  }
  return reply.type('text/html; charset=utf-8').header('content-security-policy', page.policy).send(page.html);
}

/** `GET /history` and `/history/{tunnel}`: the last hour, for the charts of the page. */
export function historyRoute(app: FastifyInstance, sources: Sources): void {
  app.get('/history', (_request, reply) => reply.send(sources.lastHour.all()));
  app.get<{ Params: { tunnel: string } }>('/history/:tunnel', (request, reply) => {
    const hour = sources.lastHour.of(request.params.tunnel);
    return hour === undefined ? sendNoSuchTunnel(reply, sources.tunnelNames()) : reply.send(hour);
  });
}
