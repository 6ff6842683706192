import { isDeepStrictEqual } from 'node:util';
import { abortable, withDeadline } from '../../base/async/deadline.ts';
import { follow } from '../../base/async/follow.ts';
import { sleep } from '../../base/async/sleep.ts';
import { messageOf } from '../../base/errors.ts';
import { type Address, formatAddress, parseAddress } from '../../base/net/address.ts';
import type { SuccessorConfig } from '../../config/config.ts';
import type { OwnCutoverStatus, Route } from '../../telemetry/status/status.ts';
import type { ChannelSource } from '../../tunnels/channel/channel-source.ts';
import { DirectSource } from '../../tunnels/forward/direct-source.ts';
import { type Detour, type DetourTerms, Junction } from '../../tunnels/forward/junction.ts';
import { Usage } from '../../tunnels/forward/usage.ts';
import { Journal, type JournalDependencies, type Progress } from './journal.ts';
import { isInProgress, type Position, restingRoute } from './phase.ts';
import { type Check, probeOnce } from './preflight.ts';
import { quiesce, Trial, verify } from './run.ts';
import type { CutoverStore } from './store.ts';

export interface CutoverDependencies extends JournalDependencies {
  readonly store: Pick<CutoverStore, 'read' | 'write' | 'keep' | 'isUnwritten' | 'confirm' | 'forget'>;
  /** Connects this node to successors. Default: by TCP. */
  successorSource?(purpose: 'relay' | 'probe'): ChannelSource;
}

/** The source of channels to a successor. */
export function successorSource(
  deps: Pick<CutoverDependencies, 'successorSource'>,
  purpose: 'relay' | 'probe',
): ChannelSource {
  return deps.successorSource?.(purpose) ?? new DirectSource(purpose);
}

/** The result of a cut-over or rollback. */
export interface Outcome {
  readonly outcome: 'committed' | 'blocked' | 'rolled_back' | 'unchanged';
  readonly reason: string | null;
  readonly checks: readonly Check[];
}

/** The inputs of a cut-over. */
export interface CutoverTask {
  readonly successor: SuccessorConfig;
  /** The tunnel rejects connections beyond this number. */
  readonly maxConnections: number;
  /** Rejects only with the signal's reason. */
  preflight(signal: AbortSignal): Promise<Check[]>;
}

/**
 * The cut-over of one tunnel: the route of its local port, the phase, and the rollback. Each phase is on disk before it takes
 * effect, so that a daemon that crashes at any instant resumes on the safe side.
 */
export class Cutover {
  readonly #tunnel: string;
  readonly #deps: CutoverDependencies;
  readonly junction = new Junction();
  readonly #usage = new Usage();
  readonly #direct: ChannelSource;
  readonly #asking: ChannelSource;
  readonly #journal: Journal;
  #successor: SuccessorConfig | undefined;
  /** Target of new connections after the commit. For a retired tunnel it outlives the configured successor. */
  #target: Address | undefined;
  /** Aborts the check of a changed successor of a retired tunnel. */
  #adopting = new AbortController();
  #running: { readonly stop: AbortController; readonly done: Promise<Outcome> } | undefined;

  constructor(tunnel: string, deps: CutoverDependencies) {
    this.#tunnel = tunnel;
    this.#deps = deps;
    this.#direct = successorSource(deps, 'relay');
    this.#asking = successorSource(deps, 'probe');
    const subject = () => ({ successor: this.#target ? formatAddress(this.#target) : null, route: this.route });
    this.#journal = new Journal(tunnel, subject, deps);
  }

  get position(): Position {
    return this.#journal.position;
  }

  get route(): Route {
    return this.junction.detour ? 'successor' : 'tunnel';
  }

  get running(): boolean {
    return this.#running !== undefined;
  }

  /**
   * Restores the route when the daemon starts. A retired tunnel stays with its successor; every other doubt leads to the
   * tunnel. Never rejects.
   */
  async restore(successor: SuccessorConfig | undefined, retired = false): Promise<void> {
    this.#successor = successor;
    this.#target = successor?.target;
    const kept = await this.#journal.read(retired);
    if (kept === undefined) return;
    if (retired) this.#target = parseAddress(this.#journal.keptSuccessor ?? '') ?? this.#target;
    this.#settle();
    this.#journal.resumed(kept);
  }

  /** Settles when the cut-over is committed, blocked or rolled back. Rejects with `state_dir_unusable`, and changes nothing. */
  start(task: CutoverTask, progress: Progress): Promise<Outcome> {
    const stop = new AbortController();
    this.#successor = task.successor;
    this.#target = task.successor.target;
    const done = this.#run(task, progress, stop.signal).finally(() => {
      this.#running = undefined;
    });
    this.#running = { stop, done };
    return done;
  }

  /** Aborts a cut-over in progress: clients stay on the tunnel. A commit that is already done stays. Never rejects. */
  async abandon(reason: string): Promise<void> {
    this.#running?.stop.abort(new Error(reason));
    await this.#running?.done.catch(() => {});
  }

  /** Rolls back at once. */
  async rollback(reason: string, progress: Progress): Promise<Outcome> {
    if (this.#running) progress('aborting the cut-over in progress');
    await this.abandon(reason);
    const { phase } = this.position;
    if (phase !== 'committed') {
      // An earlier rollback may not be on the disk: a restart would bring the successor back.
      await this.#journal.catchUp(progress);
      return { outcome: 'rolled_back', reason: this.position.reason, checks: [] };
    }
    await this.#fallBack(reason, progress);
    return { outcome: 'rolled_back', reason, checks: [] };
  }

  /** Applies a new configuration that does not affect a cut-over in progress. */
  reconfigure(successor: SuccessorConfig | undefined, retired = false): void {
    this.#adopting.abort();
    this.#successor = successor;
    if (retired && this.position.phase === 'committed') return;
    this.#target = successor?.target;
    if (!this.running && this.route === 'successor') this.#settle();
  }

  /**
   * Moves the port of a retired tunnel to a changed successor. The port keeps its old successor until the check accepts the
   * new one. Never rejects; settles when the check is over.
   *
   * @param check returns why the successor is refused, in one sentence; undefined if it is accepted
   */
  async adopt(check: (successor: SuccessorConfig, signal: AbortSignal) => Promise<string | undefined>): Promise<void> {
    const successor = this.#successor;
    if (!successor || !this.isElsewhere) return;
    this.#adopting = new AbortController();
    const { signal } = this.#adopting;
    const { log } = this.#deps;
    const where = formatAddress(successor.target);
    let logged = '';
    while (!signal.aborted) {
      const against = await check(successor, signal).catch(messageOf);
      if (signal.aborted) return;
      if (against === undefined) {
        this.#target = successor.target;
        this.#settle();
        log.info({ event: 'cutover.successor_changed', successor: where }, `the local port now leads to ${where}`);
        return this.#journal.keepSubject();
      }
      if (against !== logged)
        log.warn(
          { event: 'cutover.successor_refused', successor: where },
          `the local port keeps its old successor: ${against}`,
        );
      logged = against;
      await sleep(successor.probe.everyMs, signal).catch(() => {});
    }
  }

  /** Whether the port leads to a successor that is not the configured one. */
  get isElsewhere(): boolean {
    return this.position.phase === 'committed' && !isDeepStrictEqual(this.#target, this.#successor?.target);
  }

  /** Call when the tunnel is back in service: a port with an unconfigured successor rolls back. Never rejects. */
  async backInService(): Promise<void> {
    this.#adopting.abort();
    if (!this.isElsewhere) return;
    await this.#fallBack('the configuration no longer has the successor of the local port', () => {});
    this.#target = this.#successor?.target;
  }

  /** Saves where the tunnel of a commit is now. Never rejects. */
  keepPlace(): Promise<void> {
    return this.#journal.keepSubject();
  }

  /** Stops checking a changed successor. */
  stop(): void {
    this.#adopting.abort();
  }

  /** Removes the saved state of a tunnel that left the configuration. */
  async forget(): Promise<void> {
    this.#adopting.abort();
    this.junction.release(undefined);
    await this.#deps.store.forget(this.#tunnel).catch((err: unknown) => {
      this.#deps.log.warn(
        { event: 'cutover.not_forgotten', err },
        'cannot delete the saved cut-over state of a removed tunnel',
      );
    });
  }

  sample(now: Date): void {
    this.#usage.sample(now);
  }

  /** Null without a successor. */
  status(): OwnCutoverStatus | null {
    if (!this.#target) return null;
    const { phase, since, reason } = this.position;
    return {
      phase,
      since,
      reason,
      successor: formatAddress(this.#target),
      usage: this.#usage.status(),
    };
  }

  /** Sets the route for a position without a cut-over in progress. */
  #settle(): void {
    const away = restingRoute(this.position) === 'successor';
    this.junction.release(away ? this.#detour({ kind: 'committed' }) : undefined);
  }

  #detour(terms: DetourTerms): Detour | undefined {
    const target = this.#target;
    return target && { ...terms, source: this.#direct, target, usage: this.#usage };
  }

  async #run(task: CutoverTask, progress: Progress, signal: AbortSignal): Promise<Outcome> {
    let checks: Check[] = [];
    try {
      await this.#journal.advance({ kind: 'asked' }, progress, signal);
      checks = await abortable(task.preflight(signal), signal);
      const against = checks.filter(({ ok }) => !ok);
      if (against.length > 0) {
        const reason = against.flatMap(({ message, details }) => [message, ...details]).join('; ');
        // The outcome reports the checks one by one.
        await this.#journal.advance({ kind: 'blocked', reason }, () => {});
        return { outcome: 'blocked', reason, checks };
      }
      await this.#journal.advance({ kind: 'cleared' }, progress, signal);
      await this.#switch(task, progress, signal);
      return { outcome: 'committed', reason: null, checks };
    } catch (thrown) {
      const reason = messageOf(thrown);
      const { phase } = this.position;
      if (phase === 'preflight') {
        await this.#journal.advanceAnyway({ kind: 'blocked', reason }, progress);
        return { outcome: 'blocked', reason, checks };
      }
      if (!isInProgress(this.position) && !signal.aborted) throw thrown;
      if (!isInProgress(this.position)) return { outcome: 'blocked', reason, checks };
      await this.#fallBack(reason, progress);
      return { outcome: 'rolled_back', reason, checks };
    }
  }

  async #switch({ successor, maxConnections }: CutoverTask, progress: Progress, signal: AbortSignal): Promise<void> {
    const failure = follow(signal);
    const trial = new Trial(successor, ({ message }) =>
      failure.end(new Error(`the successor failed ${successor.probe.fall} times in a row: ${message}`)),
    );
    try {
      signal.throwIfAborted();
      const { holdMs } = successor;
      const expired = () => new Error(`the switch did not finish within hold (${holdMs} ms)`);
      await withDeadline(holdMs, failure.signal, expired, async (inTime) => {
        const mostHeld = Math.floor((maxConnections - this.junction.through) / 2);
        await quiesce(this.junction, { holdMs, mostHeld }, inTime);
        await this.#journal.advance({ kind: 'quiet' }, progress, inTime);
      });
      const staying = this.junction.through;
      this.junction.release(this.#detour({ kind: 'trial', onTaken: (error) => trial.taken(error) }));
      if (staying > 0) progress(staysOn(staying));
      await this.#journal.advance({ kind: 'switched' }, progress, failure.signal);
      await verify(successor, trial, (over) => probeOnce(successor, this.#asking, over), failure.signal);
      await this.#commit(progress);
    } finally {
      failure.end();
    }
  }

  /** Cannot be aborted: the disk decides what a restart resumes. */
  async #commit(progress: Progress): Promise<void> {
    await this.#journal.advance({ kind: 'verified' }, progress);
    this.#settle();
  }

  /** Before the commit a crash leads back anyway, so the route changes first. After it, the disk is written first if possible. */
  async #fallBack(reason: string, progress: Progress): Promise<void> {
    const back = () => this.junction.release(undefined);
    if (this.position.phase !== 'committed') back();
    await this.#journal.advanceAnyway({ kind: 'failed', reason }, progress);
    back();
    await this.#journal.advanceAnyway({ kind: 'returned' }, progress);
  }
}

function staysOn(connections: number): string {
  return connections === 1
    ? '1 open connection stays on the tunnel until it ends'
    : `${connections} open connections stay on the tunnel until they end`;
}
