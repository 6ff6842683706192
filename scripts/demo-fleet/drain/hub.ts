import { type StandIn, startStateHub } from '../../../tests/support/peers/stand-ins.ts';

/** The path that clients request. Its answer is slow, so that some requests are always in flight. */
export const REQUEST_PATH = '/state/whoami';
const REQUEST_MS = 100;

/** A State Hub that answers with the name of its machine. */
export interface Hub extends StandIn {
  /** Sets the answer of the health check. */
  beHealthy(is: boolean): void;
  /** Sets the number of tasks; the cut-over compares both hubs by this number. */
  haveTasks(count: number): void;
}

/** The real number of tasks. */
export const TASKS = 340;

export async function startHub(machine: string, port = 0): Promise<Hub> {
  const standIn = await startStateHub(port);
  standIn.set(REQUEST_PATH, { body: { machine }, delayMs: REQUEST_MS });
  return {
    ...standIn,
    beHealthy: (is) =>
      standIn.set(
        '/state/health',
        is ? { body: { status: 'ok', db: 'connected' } } : { status: 503, body: { status: 'error', db: 'gone' } },
      ),
    haveTasks: (tasks) => standIn.set('/state/summary', { body: { workstreams: 12, tasks, progress_events: 5210 } }),
  };
}
