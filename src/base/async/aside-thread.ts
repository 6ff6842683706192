import { parentPort, workerData } from 'node:worker_threads';
import { messageOf } from '../errors.ts';
import type { Errand, Word } from './aside.ts';

// The whole life of a thread of aside.ts.
const { module, name, given }: Errand = workerData;
const work: (...given: readonly unknown[]) => unknown = (await import(module))[name];
const say = (word: Word) => parentPort?.postMessage(word);
say({ kind: 'ready' });
try {
  say({ kind: 'done', result: work(...given) });
} catch (error) {
  say({ kind: 'failed', message: messageOf(error) });
}
