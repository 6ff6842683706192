import { Worker } from 'node:worker_threads';
import { asError } from '../errors.ts';
import { DeadlineTimer } from './deadline-timer.ts';

/** What a thread runs: an exported function of a module. */
export interface Errand {
  /** URL of the module. */
  readonly module: string;
  readonly name: string;
  readonly given: readonly unknown[];
}

/** What a thread says: first that it has the function, then how the call went. */
export type Word =
  | { readonly kind: 'ready' }
  | { readonly kind: 'done'; readonly result: unknown }
  | { readonly kind: 'failed'; readonly message: string };

/** In both forms of this program: TypeScript and JavaScript. */
const ENTRY = new URL(import.meta.url.replace(/aside(?=\.\w+$)/, 'aside-thread'));

/**
 * Calls `work` in a thread of its own, so that it may take long without keeping the event loop. Arguments and result are
 * copied (structured clone). Where no thread can start, the call is made here. Rejects when the call throws, or takes
 * longer than `withinMs`.
 *
 * @param module `import.meta.url` of the module that exports `work` by its name
 */
export async function aside<Given extends readonly unknown[], Result>(
  module: string,
  work: (...given: Given) => Result,
  given: Given,
  withinMs: number,
): Promise<Result> {
  const ran = await inThread({ module, name: work.name, given }, withinMs);
  return ran === 'no thread' ? work(...given) : (ran.result as Result);
}

function inThread(errand: Errand, withinMs: number): Promise<{ readonly result: unknown } | 'no thread'> {
  return new Promise((resolve, reject) => {
    let ready = false;
    let thread: Worker;
    try {
      thread = new Worker(ENTRY, { workerData: errand });
    } catch {
      resolve('no thread');
      return;
    }
    const expire = new DeadlineTimer(withinMs, () => {
      reject(new Error(`${errand.name} took longer than ${withinMs} ms`));
      void thread.terminate();
    });
    thread.on('message', (word: Word) => {
      if (word.kind === 'ready') ready = true;
      else if (word.kind === 'done') resolve({ result: word.result });
      else reject(new Error(word.message));
    });
    thread.on('error', (error) => (ready ? reject(asError(error)) : resolve('no thread')));
    // After an error, too; a settled promise takes no other answer.
    thread.on('exit', () => {
      expire.end();
      reject(new Error(`${errand.name} ended without a result`));
    });
  });
}
