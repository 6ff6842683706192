import { messageOf, TunnelError } from '../../base/errors.ts';
import type { TakeNote } from '../../telemetry/happening.ts';
import type { Logger } from '../../telemetry/log/log.ts';
import type { CutoverPhase, Route } from '../../telemetry/status/status.ts';
import { type Tell, teller } from '../../telemetry/tell.ts';
import { isElsewhere, type TunnelPlace } from '../../tunnels/tunnel/sameness.ts';
import { type CutoverEvent, next, type Position, resume } from './phase.ts';
import type { CutoverRecord, CutoverStore } from './store.ts';

/** Reports the progress of a cut-over to its operator, line by line. */
export type Progress = (line: string) => void;

export interface JournalDependencies {
  readonly store: Pick<CutoverStore, 'read' | 'write' | 'keep' | 'isUnwritten' | 'confirm'>;
  readonly note: TakeNote;
  readonly log: Logger;
  /** Longest wait for a disk that does not answer, in milliseconds. Default 2000. */
  readonly patienceMs?: number;
  readonly place?: CurrentPlace;
}

/** The successor and route that the phases refer to. */
export interface JournalSubject {
  /** Address of the successor; null for a tunnel without one. */
  readonly successor: string | null;
  /** Where new connections go. */
  readonly route: Route;
}

/** Where the tunnel listens and leads now; undefined if the configuration does not have the tunnel. */
export type CurrentPlace = () => TunnelPlace | undefined;

/** Default of `patienceMs`. */
const PATIENCE_MS = 2_000;

/** Why a commit is over. */
export const ANOTHER_TUNNEL = 'the name of the tunnel belongs to another tunnel now';

const START: Position = { phase: 'idle', since: new Date(0), reason: null };

/**
 * The phases of one tunnel's cut-over. Each phase is on disk before it is entered; then the evidence, the log and the
 * operator get it.
 */
export class Journal {
  readonly #tunnel: string;
  readonly #deps: JournalDependencies;
  readonly #subject: () => JournalSubject;
  readonly #tell: Tell;
  #position = START;
  #kept: string | null = null;
  /** Whether the disk may have a phase that nobody could read. */
  #unread = false;

  constructor(tunnel: string, subject: () => JournalSubject, deps: JournalDependencies) {
    this.#tunnel = tunnel;
    this.#subject = subject;
    this.#deps = deps;
    this.#tell = teller(deps.log, deps.note);
  }

  get position(): Position {
    return this.#position;
  }

  /** The saved successor of an earlier run; null if none or unknown. */
  get keptSuccessor(): string | null {
    return this.#kept;
  }

  /** Saves a changed successor or place. Never rejects; logs a failure. */
  async keepSubject(): Promise<void> {
    await this.#keep(this.#position).catch((err: unknown) => {
      this.#deps.log.error({ event: 'cutover.not_kept', err }, 'cannot save the changed cut-over yet');
    });
  }

  /** Tries at once to save a phase that an earlier attempt could not, or that somebody else has changed. Never rejects. */
  async catchUp(progress: Progress): Promise<void> {
    const { store } = this.#deps;
    if (this.#unread || store.isUnwritten(this.#tunnel)) return this.#keepAnyway(this.#position, progress);
    await store.confirm(this.#tunnel).catch((err: unknown) => this.#notKept(this.#position, progress, err));
  }

  /**
   * Reads the saved state and takes the safe position for it. Returns the saved phase, for {@link resumed}; undefined if
   * there is none, or it cannot be read. Never rejects.
   *
   * @param retired a retired tunnel stays with its current successor: it has no rollback
   */
  async read(retired: boolean): Promise<CutoverPhase | undefined> {
    const now = new Date();
    try {
      const record = await this.#deps.store.read(this.#tunnel);
      if (!record) return undefined;
      this.#kept = record.successor;
      this.#position = resume({ phase: record.phase, since: new Date(record.since), reason: record.reason }, now);
      const reason = retired || this.#position.phase !== 'committed' ? undefined : this.#whyOutdated(record);
      if (reason !== undefined) this.#position = { phase: 'rolled_back', since: now, reason };
      return record.phase;
    } catch (error) {
      const err = TunnelError.from(error);
      const reason = `cannot read the saved cut-over state (${err.message}); clients stay on the tunnel`;
      this.#position = { phase: 'idle', since: now, reason };
      this.#unread = true;
      this.#tell({ event: 'cutover.unreadable', tunnel: this.#tunnel, err }, reason, 'error');
      return undefined;
    }
  }

  /** Why a commit does not count for the configuration; undefined if it does. */
  #whyOutdated({ successor, place }: CutoverRecord): string | undefined {
    const now = this.#deps.place?.();
    if (place && now && isElsewhere(place, now)) return ANOTHER_TUNNEL;
    if (successor === null || successor === this.#subject().successor) return undefined;
    return `the configuration no longer has the successor ${successor}`;
  }

  /** Reports that the position of {@link read} is in effect. */
  resumed(kept: CutoverPhase): void {
    this.#told('cutover.resumed', kept);
    if (this.#position.phase !== kept) void this.#keep(this.#position).catch(() => {});
  }

  /** Enters the phase after the event. Rejects and changes nothing if the disk does not save the phase in time. */
  async advance(event: CutoverEvent, progress: Progress, signal?: AbortSignal): Promise<void> {
    const position = next(this.#position, event, new Date());
    if (!position) throw new Error(`event ${event.kind} is not allowed in the phase ${this.#position.phase}`);
    await this.#write(position, signal);
    this.#enter(position, progress);
  }

  /**
   * Enters the phase after the event, if there is one, even if the disk does not save the phase in time. The phase is then
   * saved later. Never rejects.
   */
  async advanceAnyway(event: CutoverEvent, progress: Progress): Promise<void> {
    const position = next(this.#position, event, new Date());
    if (!position) return;
    await this.#keepAnyway(position, progress);
    this.#enter(position, progress);
  }

  async #keepAnyway(position: Position, progress: Progress): Promise<void> {
    await this.#keep(position).catch((err: unknown) => this.#notKept(position, progress, err));
  }

  #notKept({ phase }: Position, progress: Progress, err: unknown): void {
    const message = `cannot save the phase ${phase} yet, the daemon keeps trying: ${messageOf(err)}`;
    this.#deps.log.error({ event: 'cutover.not_kept', err }, message);
    progress(message);
  }

  #enter(position: Position, progress: Progress): void {
    const from = this.#position.phase;
    this.#position = position;
    this.#told('cutover.phase', from);
    const { phase, reason } = position;
    // The reason was reported when the rollback began.
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

  #write(position: Position, signal?: AbortSignal): Promise<void> {
    const { store, patienceMs = PATIENCE_MS } = this.#deps;
    return store.write(this.#record(position), { withinMs: patienceMs, signal });
  }

  #keep(position: Position): Promise<void> {
    const { store, patienceMs = PATIENCE_MS } = this.#deps;
    return store.keep(this.#record(position), { withinMs: patienceMs });
  }

  #record({ phase, since, reason }: Position): CutoverRecord {
    const { successor } = this.#subject();
    const place = this.#deps.place?.();
    const record = { version: 1, tunnel: this.#tunnel, phase, since: since.toISOString(), reason, successor } as const;
    return place ? { ...record, place } : record;
  }
}
