import type { SimClock } from './clock.ts';
import type { SimDisk } from './disk.ts';
import type { SimNode } from './node.ts';
import type { SimOperator } from './operator.ts';
import { LOG, STATE, type StateFileName, type Tampering, tamper } from './tamper.ts';

/** By then the events of a confirmed command are on the disk, in milliseconds. */
const WRITTEN_MS = 3_000;

/** The parts of the world that an intruder meets. */
interface Surroundings {
  readonly clock: SimClock;
  readonly disk: SimDisk;
  readonly operator: SimOperator;
  /** The daemon that runs now, or ran last. */
  node(): SimNode;
  random(): number;
  /** A planted bug: the daemon never notices. */
  readonly unnoticed: boolean;
}

/** Somebody else who changes, removes and restores the files of the state directory; knows the consequences. */
export class Intruder {
  readonly #world: Surroundings;
  #backup: ReadonlyMap<string, Buffer> | undefined;
  /** When the log was last changed below a running daemon. True time, in milliseconds, like `lostAt`. */
  tamperedAt = Number.NEGATIVE_INFINITY;
  /** Whether the log was tampered with so that a look at the whole log must, or may, tell. */
  tampered: 'not' | 'perhaps' | 'provable' = 'not';
  /** When the last daemon ended; undefined while one runs. Nothing is written after its end. */
  endedAt: number | undefined;
  /** When a state file was last removed. */
  lostAt = Number.NEGATIVE_INFINITY;

  constructor(world: Surroundings) {
    this.#world = world;
  }

  backup(): void {
    this.#backup = this.#world.disk.copy();
  }

  tamper(how: Tampering): void {
    const { clock, disk, operator, node, random, unnoticed } = this.#world;
    if (unnoticed) {
      // As long as this daemon runs, the files look to it as it left them.
      this.tamperedAt = clock.now;
      return;
    }
    const found = tamper(disk, how, { backup: this.#backup, random });
    if (found === undefined) return;
    this.tampered = found;
    // A backup may be of a moment without a log. What happens before the daemon has read the log is as before its start.
    const changedLog = how !== 'restore' || this.#backup?.has(LOG);
    if (changedLog && node().recorder.head) this.tamperedAt = clock.now;
    // Without the list only the log proves the retirement.
    if (disk.peek(`${STATE}/retired.json`) === undefined) operator.confirmed.retired = undefined;
    if (how !== 'restore') return;
    operator.doubt();
    this.lostAt = clock.now;
  }

  /** Removes a state file. The log still proves a retirement. */
  lose(file: StateFileName): void {
    const { clock, disk, operator } = this.#world;
    const { confirmed, retiredSince } = operator;
    disk.replace(`${STATE}/${file}`, undefined);
    this.lostAt = clock.now;
    confirmed.route = undefined;
    operator.doubtPending();
    const until = this.endedAt ?? clock.now;
    const isWritten = until - Math.max(retiredSince, disk.healedAt) > WRITTEN_MS && disk.fault === undefined;
    if (file !== 'retired.json' || this.tampered !== 'not' || !isWritten) confirmed.retired = undefined;
    if (file === 'events.head' && this.tampered === 'provable') this.tampered = 'perhaps';
  }

  /** The disk has lost what it had confirmed. */
  lostSyncs(): void {
    if (this.tampered !== 'not') this.tampered = 'perhaps';
  }
}
