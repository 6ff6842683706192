import { messageOf, TunnelError } from '../../base/errors.ts';
import type { TakeNote } from '../../telemetry/happening.ts';
import type { Logger } from '../../telemetry/log/log.ts';
import type { CutoverPhase, Route } from '../../telemetry/status/status.ts';
import { type Tell, teller } from '../../telemetry/tell.ts';
import { type CutoverEvent, next, type Position, resume } from './phase.ts';
import type { CutoverStore } from './store.ts';

/** Tells the operator who asked how the cut-over goes, one line at a time. */
export type Progress = (line: string) => void;

export interface JournalDependencies {
  readonly store: Pick<CutoverStore, 'read' | 'write'>;
  readonly note: TakeNote;
  readonly log: Logger;
  /** How long a disk that does not answer may keep somebody from going back, in milliseconds. Default 2000. */
  readonly patienceMs?: number;
}

/** What the phases are about, as of now. */
export interface JournalSubject {
  /** Address of the successor; null for a tunnel without one. */
  readonly successor: string | null;
  /** Where new connections go. */
  readonly route: Route;
}

/** The disk may take so long to keep a phase. */
const PATIENCE_MS = 2_000;

const START: Position = { phase: 'idle', since: new Date(0), reason: null };

/**
 * The phases of one tunnel's cut-over: each is on the disk before it is entered, and is told to the evidence, the log and
 * the operator then.
 */
export class Journal {
  readonly #tunnel: string;
  readonly #deps: JournalDependencies;
  readonly #subject: () => JournalSubject;
  readonly #tell: Tell;
  #position = START;
  #kept: string | null = null;

  constructor(tunnel: string, subject: () => JournalSubject, deps: JournalDependencies) {
    this.#tunnel = tunnel;
    this.#subject = subject;
    this.#deps = deps;
    this.#tell = teller(deps.log, deps.note);
  }

  get position(): Position {
    return this.#position;
  }

  /** The address of the successor that an earlier run has kept; null: none, or not known. */
  get keptSuccessor(): string | null {
    return this.#kept;
  }

  /** The position is about another successor from now on. Never rejects; told when it is not on the disk. */
  async keepSubject(): Promise<void> {
    await this.#write(this.#position).catch((err: unknown) => {
      this.#deps.log.error({ event: 'cutover.not_kept', err }, 'the other successor could not be kept');
    });
  }

  /**
   * Reads what an earlier run has kept, and takes the position on the safe side of it. Returns the phase that was kept, for
   * {@link resumed}; undefined where there is none, or none that can be read. Never rejects.
   *
   * @param retired a tunnel that has no way back stays with whatever the successor is now
   */
  async read(retired: boolean): Promise<CutoverPhase | undefined> {
    const now = new Date();
    try {
      const record = await this.#deps.store.read(this.#tunnel);
      if (!record) return undefined;
      this.#kept = record.successor;
      this.#position = resume({ phase: record.phase, since: new Date(record.since), reason: record.reason }, now);
      const elsewhere = record.successor !== null && record.successor !== this.#subject().successor;
      if (this.#position.phase === 'committed' && elsewhere && !retired) {
        const reason = `the successor that it was made to, ${record.successor}, is not in the configuration any more`;
        this.#position = { phase: 'rolled_back', since: now, reason };
      }
      return record.phase;
    } catch (error) {
      const err = TunnelError.from(error);
      const reason = `cannot read the saved cut-over state (${err.message}); clients stay on the tunnel`;
      this.#position = { phase: 'idle', since: now, reason };
      this.#tell({ event: 'cutover.unreadable', tunnel: this.#tunnel, err }, reason, 'error');
      return undefined;
    }
  }

  /** The position that {@link read} took is in effect. */
  resumed(kept: CutoverPhase): void {
    this.#told('cutover.resumed', kept);
    if (this.#position.phase !== kept) void this.#write(this.#position).catch(() => {});
  }

  /** Enters the phase after the event. Rejects, with nothing changed, when the disk does not keep it in time. */
  async advance(event: CutoverEvent, progress: Progress, signal?: AbortSignal): Promise<void> {
    const position = next(this.#position, event, new Date());
    if (!position) throw new Error(`a cut-over that is ${this.#position.phase} cannot be ${event.kind}`);
    await this.#write(position, signal);
    this.#enter(position, progress);
  }

  /** Enters the phase after the event, if there is one, on the disk first if that answers in time. Never rejects. */
  async advanceAnyway(event: CutoverEvent, progress: Progress): Promise<void> {
    const position = next(this.#position, event, new Date());
    if (!position) return;
    await this.#write(position).catch((err: unknown) => {
      this.#deps.log.error({ event: 'cutover.not_kept', err }, `the phase ${position.phase} could not be kept`);
      progress(`could not be kept on the disk: ${messageOf(err)}`);
    });
    this.#enter(position, progress);
  }

  #enter(position: Position, progress: Progress): void {
    const from = this.#position.phase;
    this.#position = position;
    this.#told('cutover.phase', from);
    const { phase, reason } = position;
    // Why it goes back was told when it began to.
    progress(reason === null || phase === 'rolled_back' ? phase : `${phase}: ${reason}`);
  }

  #told(event: 'cutover.phase' | 'cutover.resumed', from: CutoverPhase): void {
    const { phase, reason, since } = this.#position;
    this.#tell(
      { event, tunnel: this.#tunnel, from, to: phase, reason, ...this.#subject() },
      `cut-over: ${from} -> ${phase}${reason === null ? '' : `: ${reason}`}`,
      phase === 'rolling_back' ? 'warn' : 'info',
      event === 'cutover.phase' ? since : undefined,
    );
  }

  #write({ phase, since, reason }: Position, signal?: AbortSignal): Promise<void> {
    const { store, patienceMs = PATIENCE_MS } = this.#deps;
    const { successor } = this.#subject();
    return store.write(
      { version: 1, tunnel: this.#tunnel, phase, since: since.toISOString(), reason, successor },
      { withinMs: patienceMs, signal },
    );
  }
}
