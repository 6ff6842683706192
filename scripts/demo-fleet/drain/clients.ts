import { Agent, request } from 'node:http';
import { type LoopResult, startLoop } from '../../../tests/support/clients/request-loop.ts';
import { REQUEST_PATH } from './hub.ts';

const EVERY_MS = 25;
const KEPT_EVERY_MS = 250;
const TIMEOUT_MS = 5_000;

/** The clients of the tunnel's local port: short connections all the time, and one connection that stays open. */
export interface HubClients {
  /** The counts so far, in words. */
  text(): string;
  failed(): number;
  /** The number of requests answered by the hub on this machine. */
  servedBy(machine: string): number;
  /** Ends the connection that stays open. */
  closeKept(): Promise<void>;
  stop(): Promise<LoopResult>;
}

export function startClients(port: number): HubClients {
  const answered = new Map<string, number>();
  const ask = async (agent: Agent | false) => {
    const machine = await whoAnswers(port, agent);
    answered.set(machine, (answered.get(machine) ?? 0) + 1);
  };
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const fresh = startLoop(() => ask(false), EVERY_MS);
  const kept = startLoop(() => ask(agent), KEPT_EVERY_MS);
  const closeKept = async () => {
    await kept.stop();
    agent.destroy();
  };
  const failed = () => fresh.failed() + kept.failed();
  return {
    text: () => {
      const by = [...answered].map(([machine, count]) => `${count} by ${machine}`).join(', ');
      return `${fresh.served() + kept.served()} requests served${by === '' ? '' : ` (${by})`}, ${failed()} failed`;
    },
    failed,
    servedBy: (machine) => answered.get(machine) ?? 0,
    closeKept,
    stop: async () => {
      await closeKept();
      const results = await Promise.all([fresh.stop(), kept.stop()]);
      return {
        served: results.reduce((sum, { served }) => sum + served, 0),
        failures: results.flatMap(({ failures }) => failures),
        slowestMs: Math.max(...results.map(({ slowestMs }) => slowestMs)),
      };
    },
  };
}

/** The machine whose hub answered; rejects without a complete answer in time. */
function whoAnswers(port: number, agent: Agent | false): Promise<string> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: '127.0.0.1', port, path: REQUEST_PATH, agent }, (incoming) => {
      let body = '';
      incoming.on('data', (chunk: Buffer) => {
        body += chunk.toString();
      });
      incoming.once('error', fail);
      incoming.once('end', () => {
        clearTimeout(timer);
        try {
          resolve(String((JSON.parse(body) as { machine?: unknown }).machine));
        } catch (error) {
          reject(error);
        }
      });
    });
    const timer = setTimeout(() => outgoing.destroy(new Error(`no answer within ${TIMEOUT_MS} ms`)), TIMEOUT_MS);
    const fail = (error: Error) => {
      clearTimeout(timer);
      reject(error);
    };
    outgoing.once('error', fail);
    outgoing.end();
  });
}
