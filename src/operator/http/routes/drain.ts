import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { sleep } from '../../../base/async/sleep.ts';
import { parseDuration } from '../../../config/duration.ts';
import { isPassed, type VerdictAnswer } from '../../../retirement/drain/answer.ts';
import { sendNoSuchTunnel } from '../not-found.ts';
import { type Problem, sendProblem } from '../problem.ts';
import { invalid, oneOf, readQuery, text } from '../query.ts';
import type { Sources } from '../sources.ts';

/** The longest wait of one request, in milliseconds. Clients repeat the request to wait longer. */
const LONGEST_WAIT_MS = 300_000;
/** The most waiting requests. One more request is answered at once. */
const MOST_WAITING = 32;
/** Time between two checks, in milliseconds. */
const LOOK_MS = 250;
/** Bounds of Retry-After, in seconds. */
const SOONEST_S = 1;
const LATEST_S = 60;
/** Retry-After when the clearing time is unknown, in seconds. */
const USUAL_S = 10;

/** A verdict is always answered with 200. With `require=retirable` the status is a gate for `curl -fsS --retry`. */
export function drainRoute(app: FastifyInstance, sources: Sources): void {
  const waiting = new Set<AbortController>();
  app.addHook('preClose', async () => {
    for (const over of waiting) over.abort();
  });

  app.get('/drain', async (request, reply) => {
    const query = readQuery(request.query, {});
    if ('problem' in query) return sendProblem(reply, query.problem);
    await sources.refreshed();
    const now = new Date();
    const names = sources.tunnelNames();
    const tunnels = names.flatMap((name) => sources.drain(name, now) ?? []);
    await sources.recorded();
    return reply.send({ schema: 1, node: sources.snapshot().node, checked_at: now.toISOString(), tunnels });
  });

  app.get<{ Params: { tunnel: string } }>('/drain/:tunnel', async (request, reply) => {
    const asked = gateOf(request.query);
    if ('problem' in asked) return sendProblem(reply, asked.problem);
    const { tunnel } = request.params;
    const deadline = performance.now() + (waiting.size < MOST_WAITING ? asked.waitMs : 0);
    const over = new AbortController();
    waiting.add(over);
    try {
      const answer = await untilPassed(
        async () => {
          await sources.refreshed();
          return sources.drain(tunnel, new Date());
        },
        deadline,
        request,
        over.signal,
      );
      if (answer === undefined) return sendNoSuchTunnel(reply, sources.tunnelNames());
      await sources.recorded();
      return asked.isGate && !isPassed(answer) ? shut(reply, answer) : reply.send(answer);
    } finally {
      waiting.delete(over);
    }
  });
}

/** The last verdict before the deadline, or the first `retirable`. Ends early when the client leaves, or with `over`. */
async function untilPassed(
  look: () => Promise<VerdictAnswer | undefined>,
  deadline: number,
  { raw: { socket } }: FastifyRequest,
  over: AbortSignal,
): Promise<VerdictAnswer | undefined> {
  const { timeout = 0 } = socket;
  // The idle timeout of the server must not end a waiting request.
  socket.setTimeout(timeout + LONGEST_WAIT_MS);
  try {
    for (;;) {
      const answer = await look();
      const leftMs = deadline - performance.now();
      const ended = over.aborted || socket.destroyed;
      if (answer === undefined || isPassed(answer) || leftMs <= 0 || ended) return answer;
      await sleep(Math.min(LOOK_MS, leftMs), over).catch(() => {});
    }
  } finally {
    socket.setTimeout(timeout);
  }
}

/** The same body as with 200: only the status differs. */
function shut(reply: FastifyReply, answer: VerdictAnswer): FastifyReply {
  return reply
    .code(503)
    .header('retry-after', String(retryAfterS(answer)))
    .send(answer);
}

/** Not earlier than the time when the last reason clears. */
function retryAfterS({ blockers, unknowns, checked_at }: VerdictAnswer): number {
  const clearing = [...blockers, ...unknowns].map(({ clears_at }) => clears_at);
  const times = clearing.filter((time) => time !== null).sort();
  const last = clearing.includes(null) ? undefined : times.at(-1);
  if (last === undefined) return USUAL_S;
  const seconds = Math.ceil((Date.parse(last) - Date.parse(checked_at)) / 1_000);
  return Math.min(LATEST_S, Math.max(SOONEST_S, seconds));
}

function gateOf(query: unknown): { isGate: boolean; waitMs: number } | { problem: Problem } {
  const asked = readQuery(query, { require: oneOf(['retirable']), wait: text });
  if ('problem' in asked) return asked;
  const { require, wait } = asked.values;
  if (wait === undefined) return { isGate: require !== undefined, waitMs: 0 };
  if (require === undefined) return { problem: invalid('"wait" goes with "require=retirable".') };
  const waitMs = parseDuration(wait);
  if (waitMs === undefined || waitMs > LONGEST_WAIT_MS)
    return { problem: invalid('"wait" must be a duration such as 30s, 5m at most.') };
  return { isGate: true, waitMs };
}
