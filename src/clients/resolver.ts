import { readFileSync } from 'node:fs';
import { sleep } from '../async/sleep.ts';
import { parseIp } from '../ip.ts';
import { Budget } from './budget.ts';
import { type Client, UNKNOWN } from './client.ts';
import { findHolders, type Holder, type Sight, sightOf } from './processes.ts';
import { readRows } from './read-table.ts';
import { type Family, type Peer, rowKey, type SocketRow } from './socket-table.ts';
import { isRealUid } from './uid-map.ts';

/** A connection whose client is asked for. */
export interface Question {
  readonly peer: Peer;
  /** Whether it is still there: only then can anybody be found. */
  isOpen(): boolean;
  /** The answer, once; undefined when nobody has looked. */
  answer(client: Client | undefined): void;
}

export interface ResolverDependencies {
  /** One question was answered. */
  onAnswered(result: 'found' | 'unknown' | 'skipped'): void;
  /** So many seconds of work it took to look for some of them at once. */
  onLooked(seconds: number): void;
}

/** Whoever comes while so many wait is not looked at. */
const MOST_WAITING = 4_096;
/** Clients that will call again, mostly. */
const MOST_KNOWN = 64;

/** Of this thread, on which all connections are served. */
const LOOP = { share: 0.02, burstMs: 10 };
/** It does nothing else for so many milliseconds at most. */
const SLICE_MS = 0.5;
/** Of the thread pool and the kernel. */
const READING = { share: 0.05, burstMs: 100 };
/** Whoever was not found until then, in milliseconds, is not found. */
const SEARCH_MS = 10_000;

const FAMILIES: readonly Family[] = ['tcp', 'tcp6'];

/**
 * Finds out of /proc who is at the other end of a local connection: the socket by its addresses in /proc/self/net/tcp, the
 * process by its descriptors. Beside the data path, never in it: nobody waits for an answer, questions are collected and
 * looked up together, and all of it keeps to a budget. Beyond that it samples.
 */
export class ClientResolver {
  readonly #deps: ResolverDependencies;
  readonly #signal: AbortSignal;
  readonly #sight: Sight;
  readonly #uidMap: string;
  readonly #loop = new Budget(LOOP, performance.now());
  readonly #reading = new Budget(READING, performance.now());
  /** Processes that were found, the latest last. */
  readonly #known = new Set<number>();
  #waiting: Question[] = [];
  #running = false;
  /** By the search that is under way, in milliseconds. */
  #spentMs = 0;

  /** @param signal ends it: what is asked from then on is not looked up */
  constructor(deps: ResolverDependencies, signal: AbortSignal) {
    this.#deps = deps;
    this.#signal = signal;
    this.#sight = sightOf(readOwn('status'), process.geteuid?.() ?? -1);
    this.#uidMap = readOwn('uid_map');
  }

  ask(question: Question): void {
    if (this.#waiting.length >= MOST_WAITING || this.#signal.aborted) return this.#answer(question, undefined);
    this.#waiting.push(question);
    if (this.#running) return;
    this.#running = true;
    // The connection itself goes first.
    setImmediate(() => void this.#run());
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      const pauseMs = this.#reading.waitMs(performance.now());
      if (pauseMs > 0) await sleep(pauseMs, this.#signal).catch(() => {});
      const questions = this.#waiting;
      this.#waiting = [];
      const open = this.#signal.aborted ? [] : questions.filter((question) => question.isOpen());
      const clients = open.length === 0 ? new Map<Question, Client>() : await this.#look(open);
      for (const question of questions) this.#answer(question, clients.get(question));
    }
    this.#running = false;
  }

  async #look(questions: readonly Question[]): Promise<Map<Question, Client>> {
    this.#spentMs = 0;
    const rows = await this.#rowsOf(questions);
    const holders = await this.#holdersOf(new Map([...rows.values()].map(({ inode, uid }) => [inode, uid])));
    this.#deps.onLooked(this.#spentMs / 1_000);
    return new Map(questions.map((question) => [question, this.#describe(question, rows, holders)]));
  }

  #describe(question: Question, rows: ReadonlyMap<Question, SocketRow>, holders: ReadonlyMap<string, Holder>): Client {
    const row = rows.get(question);
    if (row === undefined) return { ...UNKNOWN, address: foreign(question.peer.address) };
    const uid = isRealUid(row.uid, this.#uidMap) ? row.uid : null;
    return { ...UNKNOWN, uid, ...holders.get(row.inode) };
  }

  async #rowsOf(questions: readonly Question[]): Promise<Map<Question, SocketRow>> {
    const found = new Map<Question, SocketRow>();
    for (const family of FAMILIES) {
      const asked = new Map<string, Question>();
      for (const question of questions) {
        const key = found.has(question) || !question.isOpen() ? undefined : rowKey(question.peer, family);
        if (key !== undefined) asked.set(key, question);
      }
      if (asked.size === 0) continue;
      const from = performance.now();
      const rows = await readRows(family, new Set(asked.keys()), this.#signal);
      this.#spend(this.#reading, from);
      for (const [key, question] of asked) {
        const row = rows.get(key);
        if (row) found.set(question, row);
      }
    }
    return found;
  }

  async #holdersOf(sockets: ReadonlyMap<string, number>): Promise<ReadonlyMap<string, Holder>> {
    if (sockets.size === 0) return new Map();
    const holders = await this.#inSlices(findHolders(sockets, this.#known, this.#sight));
    for (const { pid } of holders?.values() ?? []) this.#remember(pid);
    return holders ?? new Map();
  }

  /** Undefined when there was not the time for it. */
  async #inSlices<T>(steps: Generator<void, T>): Promise<T | undefined> {
    const deadline = performance.now() + SEARCH_MS;
    try {
      for (;;) {
        const from = performance.now();
        let step = steps.next();
        while (step.done !== true && performance.now() - from < SLICE_MS) step = steps.next();
        const to = this.#spend(this.#loop, from);
        if (step.done === true) return step.value;
        if (to > deadline) return undefined;
        await sleep(Math.max(1, this.#loop.waitMs(to)), this.#signal);
      }
    } catch (error) {
      if (this.#signal.aborted) return undefined;
      throw error;
    } finally {
      // Whatever it has open.
      steps.return(undefined as T);
    }
  }

  /** What was done since `from`; returns when that is over. */
  #spend(budget: Budget, from: number): number {
    const to = performance.now();
    budget.spend(to - from, to);
    this.#spentMs += to - from;
    return to;
  }

  #remember(pid: number): void {
    this.#known.delete(pid);
    this.#known.add(pid);
    for (const oldest of this.#known) {
      if (this.#known.size <= MOST_KNOWN) return;
      this.#known.delete(oldest);
    }
  }

  #answer(question: Question, client: Client | undefined): void {
    this.#deps.onAnswered(client === undefined ? 'skipped' : client.process === null ? 'unknown' : 'found');
    question.answer(client);
  }
}

/** The address of somebody who is not on this machine's own loopback. */
function foreign(address: string): string | null {
  const ip = parseIp(address);
  if (ip === undefined) return address === '' ? null : address;
  const loopback = ip.length === 4 ? ip[0] === 127 : ip.every((byte, index) => byte === (index === 15 ? 1 : 0));
  return loopback ? null : address;
}

function readOwn(file: string): string {
  try {
    return readFileSync(`/proc/self/${file}`, 'utf8');
  } catch {
    return '';
  }
}
