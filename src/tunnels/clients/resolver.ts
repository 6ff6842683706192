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

/** A connection with an unknown client. */
export interface Question {
  readonly peer: Peer;
  /** Whether the connection is still open: only then can its client be found. */
  isOpen(): boolean;
  /** Takes the answer, once; undefined when the client was not looked for. */
  answer(client: Client | undefined): void;
}

export interface ResolverDependencies {
  /** One question was answered. */
  onAnswered(result: 'found' | 'unknown' | 'skipped'): void;
  /** One search, for several questions at once, took this many seconds of work. */
  onLooked(seconds: number): void;
}

/** While this many questions wait, new ones are not looked up. */
const MOST_WAITING = 4_096;
/** While at most this many questions wait, each is looked up at once, before its client ends. */
const FEW = 4;

/**
 * The share of time in the thread pool and the kernel for reading the tables. The burst after a rest finds short-lived
 * clients.
 */
const READING = { share: 0.05, burstMs: 100 };

const FAMILIES: readonly Family[] = ['tcp', 'tcp6'];

/**
 * Finds the client of a local connection in /proc: the socket by its addresses in /proc/self/net/tcp, the process by its
 * descriptors. No connection waits for the answer. Questions are looked up together, within a budget. Beyond the budget,
 * only some clients are looked up.
 */
export class ClientResolver {
  readonly #deps: ResolverDependencies;
  readonly #signal: AbortSignal;
  readonly #uidMap: string;
  readonly #search: HolderSearch;
  readonly #reading = new Budget(READING, performance.now());
  /**
   * By {@link portsOf}. Each line of the table is compared with all waiting questions: many clients live for milliseconds.
   */
  readonly #waiting = new Map<number, Question>();
  #running = false;
  /** The time of the current search so far, in milliseconds. */
  #spentMs = 0;

  /** @param signal ends the resolver: later questions are not looked up */
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
    // The connection itself comes first.
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

  /**
   * Reads the tables once, until these questions are answered or closed. Newer questions may be answered too.
   */
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

  /** The questions whose sockets are in these lines; they no longer wait. */
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

  /** Finds clients before they end, within the budget. Returns those not found. */
  async #nameAtOnce(sightings: readonly Sighting[]): Promise<readonly Sighting[]> {
    if (!this.#search.rested) return sightings;
    const left = await this.#find(sightings, (wanted, onFound) => this.#search.amongKnown(wanted, onFound));
    if (left.length === 0 || this.#waiting.size > FEW) return left;
    await this.#name(left);
    return [];
  }

  /** Names the clients; one that is not found gets only its socket's user. */
  async #name(sightings: readonly Sighting[]): Promise<void> {
    if (sightings.length === 0) return;
    const left = await this.#find(sightings, (wanted, onFound) => this.#search.amongAll(wanted, onFound));
    for (const sighting of left) this.#tell(sighting, undefined);
  }

  /** Returns those that were not found. */
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

/** The address of a caller outside this machine's loopback; null for one inside. */
function foreign(address: string): string | null {
  const ip = parseIp(address);
  if (ip === undefined) return address;
  const loopback = ip.length === 4 ? ip[0] === 127 : ip.every((byte, index) => byte === (index === 15 ? 1 : 0));
  return loopback ? null : address;
}
