import { readFileSync } from 'node:fs';
import { sleep } from '../../base/async/sleep.ts';
import { parseIp } from '../../base/net/ip.ts';
import { Budget } from './budget.ts';
import { type Client, UNKNOWN } from './client.ts';
import { type Holder, type OnFound, type Sight, searchAll, searchAmong, sightOf, type Wanted } from './processes.ts';
import { readTable } from './read-table.ts';
import {
  type Family,
  isRealUid,
  type Peer,
  parseRow,
  portsIn,
  portsOf,
  rowKey,
  type SocketRow,
} from './socket-table.ts';

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
/** With so few waiting there is time to look for each at once, before it is gone. */
const FEW = 4;

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
  /** By {@link portsOf}. A line of the table is held against those that wait at that moment: many live for milliseconds. */
  readonly #waiting = new Map<number, Question>();
  #running = false;
  /** By the look that is under way, in milliseconds. */
  #spentMs = 0;

  /** @param signal ends it: what is asked from then on is not looked up */
  constructor(deps: ResolverDependencies, signal: AbortSignal) {
    this.#deps = deps;
    this.#signal = signal;
    this.#sight = sightOf(readOwn('status'), process.geteuid?.() ?? -1);
    this.#uidMap = readOwn('uid_map');
  }

  ask(question: Question): void {
    const ports = portsOf(question.peer);
    if (this.#waiting.size >= MOST_WAITING || this.#waiting.has(ports) || this.#signal.aborted) {
      this.#answer(question, undefined);
      return;
    }
    this.#waiting.set(ports, question);
    if (this.#running) return;
    this.#running = true;
    // The connection itself goes first.
    setImmediate(() => void this.#run());
  }

  async #run(): Promise<void> {
    while (this.#waiting.size > 0) {
      const pauseMs = this.#reading.waitMs(performance.now());
      if (pauseMs > 0) await sleep(pauseMs, this.#signal).catch(() => {});
      const questions = [...this.#waiting];
      if (!this.#signal.aborted && questions.some(([, question]) => question.isOpen())) {
        this.#spentMs = 0;
        await this.#look(questions.map(([, question]) => question));
        this.#deps.onLooked(this.#spentMs / 1_000);
      }
      for (const [ports, question] of questions) {
        if (this.#waiting.get(ports) !== question) continue;
        this.#waiting.delete(ports);
        const looked = question.isOpen() && !this.#signal.aborted;
        this.#answer(question, looked ? { ...UNKNOWN, address: foreign(question.peer.address) } : undefined);
      }
    }
    this.#running = false;
  }

  /** Reads the tables once, until these have been recognized or are gone. Whoever comes meanwhile may be as well. */
  async #look(questions: readonly Question[]): Promise<void> {
    const late: Sighting[] = [];
    const areLeft = () => questions.some((each) => this.#waiting.get(portsOf(each.peer)) === each && each.isOpen());
    for (const family of FAMILIES) {
      if (!areLeft()) break;
      let from = performance.now();
      for await (const lines of readTable(family)) {
        const sightings = this.#recognize(lines, family);
        this.#spend(this.#reading, from);
        if (sightings.length > 0) late.push(...(await this.#nameAtOnce(sightings)));
        if (this.#signal.aborted || !areLeft()) break;
        from = performance.now();
      }
    }
    await this.#name(late);
  }

  /** Those whose sockets these lines are; they wait no longer. */
  #recognize(lines: readonly string[], family: Family): Sighting[] {
    return lines.flatMap((line) => {
      const ports = portsIn(line);
      const question = this.#waiting.get(ports);
      if (question === undefined) return [];
      const row = parseRow(line);
      if (row === undefined || row.key !== rowKey(question.peer, family)) return [];
      this.#waiting.delete(ports);
      return [{ question, row }];
    });
  }

  /** Before they are gone, as far as there is the time. Returns those who are still to be named. */
  async #nameAtOnce(sightings: readonly Sighting[]): Promise<readonly Sighting[]> {
    if (this.#loop.waitMs(performance.now()) > 0) return sightings;
    const latest = [...this.#known].reverse();
    const left = await this.#search(sightings, 0, (wanted, onFound) => searchAmong(latest, wanted, onFound));
    if (left.length === 0 || this.#waiting.size > FEW) return left;
    await this.#name(left);
    return [];
  }

  /** Whoever is not found is known by the socket's user alone. */
  async #name(sightings: readonly Sighting[]): Promise<void> {
    if (sightings.length === 0) return;
    const search: Search = (wanted, onFound) => searchAll(this.#known, this.#sight, wanted, onFound);
    for (const sighting of await this.#search(sightings, SEARCH_MS, search)) this.#tell(sighting, undefined);
  }

  /** Returns those who were not found. */
  async #search(sightings: readonly Sighting[], withinMs: number, search: Search): Promise<Sighting[]> {
    const left = new Map(sightings.map((sighting) => [sighting.row.inode, sighting]));
    const wanted = new Map(sightings.map(({ row }) => [row.inode, row.uid]));
    const steps = search(wanted, (inode, holder) => {
      const sighting = left.get(inode);
      left.delete(inode);
      this.#remember(holder.pid);
      if (sighting !== undefined) this.#tell(sighting, holder);
    });
    await this.#inSlices(steps, withinMs);
    return [...left.values()];
  }

  async #inSlices(steps: Generator<void, void>, withinMs: number): Promise<void> {
    const deadline = performance.now() + withinMs;
    try {
      for (;;) {
        const from = performance.now();
        let { done } = steps.next();
        while (done !== true && performance.now() - from < SLICE_MS) ({ done } = steps.next());
        const to = this.#spend(this.#loop, from);
        if (done === true || to >= deadline) return;
        await sleep(Math.max(1, this.#loop.waitMs(to)), this.#signal).catch(() => {});
        if (this.#signal.aborted) return;
      }
    } finally {
      // Whatever it has open.
      steps.return();
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

  #tell({ question, row }: Sighting, holder: Holder | undefined): void {
    const uid = isRealUid(row.uid, this.#uidMap) ? row.uid : null;
    this.#answer(question, { ...UNKNOWN, uid, ...holder });
  }

  #answer(question: Question, client: Client | undefined): void {
    this.#deps.onAnswered(client === undefined ? 'skipped' : client.process === null ? 'unknown' : 'found');
    question.answer(client);
  }
}

interface Sighting {
  readonly question: Question;
  readonly row: SocketRow;
}

type Search = (wanted: Wanted, onFound: OnFound) => Generator<void, void>;

/** The address of somebody who is not on this machine's own loopback. */
function foreign(address: string): string | null {
  const ip = parseIp(address);
  if (ip === undefined) return address;
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
