import { type StandIn, startStateHub } from '../../../tests/support/peers/stand-ins.ts';

/** What clients of the State Hub ask for. It takes its time, so that some requests are always under way. */
export const REQUEST_PATH = '/state/whoami';
const REQUEST_MS = 100;

/** A State Hub that says where it runs. */
export interface Hub extends StandIn {
  /** What its health check answers. */
  beHealthy(is: boolean): void;
  /** The count of its tasks, by which the two are compared. */
  haveTasks(count: number): void;
}

/** The number of tasks that there are. */
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
