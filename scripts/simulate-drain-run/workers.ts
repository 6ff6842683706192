import { type ChildProcess, fork } from 'node:child_process';
import type { Planted } from '../../tests/support/simulation/planted.ts';
import { bundleWorker } from './bundle.ts';

/** Runs for one order to a worker: few enough that a broken promise is told soon. */
const ORDER = 20;

/** A run makes much that it does not keep. */
const FEWER_COLLECTIONS = ['--max-semi-space-size=32'];

/** An order to a worker: these seeds. */
export interface Order {
  readonly first: number;
  readonly last: number;
  readonly planted: Planted | undefined;
}

/** What became of an order, or of all of them so far. */
export interface Sum {
  readonly done: number;
  /** Runs in which the tunnel was retirable at some moment. */
  readonly retirable: number;
  /** Runs in which the tunnel was retired at some moment. */
  readonly retired: number;
  readonly steps: number;
  /** Steps by kind. */
  readonly deeds: Readonly<Record<string, number>>;
  /** The first seed that broke a promise. */
  readonly broken: number | undefined;
}

/** Before the first run. */
export const NOTHING: Sum = { done: 0, retirable: 0, retired: 0, steps: 0, deeds: {}, broken: undefined };

/** Processes that simulate: a simulation takes over the clocks of its process, so one at a time. */
export class Workers {
  readonly #options: { readonly jobs: number; readonly planted: Planted | undefined };

  constructor(options: { readonly jobs: number; readonly planted: Planted | undefined }) {
    this.#options = options;
  }

  /** Settles when all seeds are done, or soon after one broke a promise. Rejects when a worker dies. */
  async run(seeds: { readonly first: number; readonly last: number }, onProgress: (sum: Sum) => void): Promise<Sum> {
    const { jobs, planted } = this.#options;
    let next = seeds.first;
    let sum = NOTHING;
    const order = (): Order | undefined => {
      if (sum.broken !== undefined || next > seeds.last) return undefined;
      const first = next;
      next = Math.min(seeds.last, first + ORDER - 1) + 1;
      return { first, last: next - 1, planted };
    };
    const take = (part: Sum) => {
      sum = add(sum, part);
      onProgress(sum);
    };
    using program = await bundleWorker();
    await Promise.all(Array.from({ length: jobs }, () => employ(program.path, order, take)));
    return sum;
  }
}

/** One worker, until there is no order left. */
function employ(program: string, order: () => Order | undefined, take: (part: Sum) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker: ChildProcess = fork(program, {
      execArgv: FEWER_COLLECTIONS,
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const give = () => {
      const wanted = order();
      if (wanted) worker.send(wanted);
      else worker.disconnect();
    };
    worker.on('message', (part: Sum) => {
      take(part);
      give();
    });
    worker.once('error', reject);
    worker.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`a worker ended with ${code}`))));
    give();
  });
}

/** Both sums together. Pure. */
export function add(a: Sum, b: Sum): Sum {
  const broken =
    a.broken === undefined || b.broken === undefined ? (a.broken ?? b.broken) : Math.min(a.broken, b.broken);
  const deeds = { ...a.deeds };
  for (const [what, times] of Object.entries(b.deeds)) deeds[what] = (deeds[what] ?? 0) + times;
  return {
    done: a.done + b.done,
    retirable: a.retirable + b.retirable,
    retired: a.retired + b.retired,
    steps: a.steps + b.steps,
    deeds,
    broken,
  };
}
