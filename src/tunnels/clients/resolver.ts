import { sleep } from '../../base/async/sleep.ts';
import { parseIp } from '../../base/net/ip.ts';
import { Budget } from './budget.ts';
import { type Client, UNKNOWN } from './client.ts';
import { type Holder, type OnFound, readOwn, type Wanted } from './processes.ts';
import { readTable } from './read-table.ts';
import { HolderSearch } from './search.ts';
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
/** With so few waiting there is time to look for each at once, before it is gone. */
const FEW = 4;

/** Of the thread pool and the kernel. */
const READING = { share: 0.05, burstMs: 100 };

const FAMILIES: readonly Family[] = ['tcp', 'tcp6'];

/**
 * Finds out of /proc who is at the other end of a local connection: the socket by its addresses in /proc/self/net/tcp, the
 * process by its descriptors. Beside the data path, never in it: nobody waits for an answer, questions are collected and
 * looked up together, and all of it keeps to a budget. Beyond that it samples.
 */
export class ClientResolver {
  readonly #deps: ResolverDependencies;
  readonly #signal: AbortSignal;
  readonly #uidMap: string;
  readonly #search: HolderSearch;
  readonly #reading = new Budget(READING, performance.now());
  /** By {@link portsOf}. A line of the table is held against those that wait at that moment: many live for milliseconds. */
  readonly #waiting = new Map<number, Question>();
  #running = false;
  /** By the look that is under way, in milliseconds. */
  #spentMs = 0;

  /** @param signal ends it: what is asked from then on is not looked up */
  constructor(deps: ResolverDependencies, signal: AbortSignal) {
    this.#deps = deps;
    this.#signal = signal;
    this.#search = new HolderSearch(signal, (ms) => {
      this.#spentMs += ms;
    });
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
        this.#spend(from);
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
    if (!this.#search.rested) return sightings;
    const left = await this.#find(sightings, (wanted, onFound) => this.#search.amongKnown(wanted, onFound));
    if (left.length === 0 || this.#waiting.size > FEW) return left;
    await this.#name(left);
    return [];
  }

  /** Whoever is not found is known by the socket's user alone. */
  async #name(sightings: readonly Sighting[]): Promise<void> {
    if (sightings.length === 0) return;
    const left = await this.#find(sightings, (wanted, onFound) => this.#search.amongAll(wanted, onFound));
    for (const sighting of left) this.#tell(sighting, undefined);
  }

  /** Returns those who were not found. */
  async #find(sightings: readonly Sighting[], search: Search): Promise<Sighting[]> {
    const left = new Map(sightings.map((sighting) => [sighting.row.inode, sighting]));
    const wanted = new Map(sightings.map(({ row }) => [row.inode, row.uid]));
    await search(wanted, (inode, holder) => {
      const sighting = left.get(inode);
      left.delete(inode);
      if (sighting !== undefined) this.#tell(sighting, holder);
    });
    return [...left.values()];
  }

  /** Reading took the time since `from`. */
  #spend(from: number): void {
    const to = performance.now();
    this.#reading.spend(to - from, to);
    this.#spentMs += to - from;
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

type Search = (wanted: Wanted, onFound: OnFound) => Promise<void>;

/** The address of somebody who is not on this machine's own loopback. */
function foreign(address: string): string | null {
  const ip = parseIp(address);
  if (ip === undefined) return address;
  const loopback = ip.length === 4 ? ip[0] === 127 : ip.every((byte, index) => byte === (index === 15 ? 1 : 0));
  return loopback ? null : address;
}
