import { isDeepStrictEqual } from 'node:util';
import { abortable, withDeadline } from '../../base/async/deadline.ts';
import { follow } from '../../base/async/follow.ts';
import { sleep } from '../../base/async/sleep.ts';
import { messageOf } from '../../base/errors.ts';
import { type Address, formatAddress, parseAddress } from '../../base/net/address.ts';
import type { SuccessorConfig } from '../../config/config.ts';
import type { OwnCutoverStatus, Route } from '../../telemetry/status/status.ts';
import { DirectSource } from '../../tunnels/forward/direct-source.ts';
import { type Detour, type DetourTerms, Junction } from '../../tunnels/forward/junction.ts';
import { Usage } from '../../tunnels/forward/usage.ts';
import { Journal, type JournalDependencies, type Progress } from './journal.ts';
import { isUnderWay, type Position, restingRoute } from './phase.ts';
import { type Check, probeOnce } from './preflight.ts';
import { quiesce, Trial, verify } from './run.ts';
import type { CutoverStore } from './store.ts';

export interface CutoverDependencies extends JournalDependencies {
  readonly store: Pick<CutoverStore, 'read' | 'write' | 'forget'>;
}

/** What became of a cut-over or of the way back. */
export interface Outcome {
  readonly outcome: 'committed' | 'blocked' | 'rolled_back' | 'unchanged';
  readonly reason: string | null;
  readonly checks: readonly Check[];
}

/** What a cut-over is made with. */
export interface CutoverTask {
  readonly successor: SuccessorConfig;
  /** New connections beyond this would be turned away. */
  readonly maxConnections: number;
  /** Never rejects but with the signal's reason. */
  preflight(signal: AbortSignal): Promise<Check[]>;
}

/**
 * The cut-over of one tunnel: where its local port leads, how far it has come, and the way back. Each phase is on the disk
 * before what it announces is done, so that a crash at any instant is resumed on the safe side.
 */
export class Cutover {
  readonly #tunnel: string;
  readonly #deps: CutoverDependencies;
  readonly junction = new Junction();
  readonly #usage = new Usage();
  readonly #direct = new DirectSource('relay');
  readonly #asking = new DirectSource('probe');
  readonly #journal: Journal;
  #successor: SuccessorConfig | undefined;
  /** Where new connections go once committed. Of a retired tunnel it outlives the configuration of the successor. */
  #target: Address | undefined;
  /** Checks another successor of a retired tunnel. */
  #adopting = new AbortController();
  #running: { readonly stop: AbortController; readonly done: Promise<Outcome> } | undefined;

  constructor(tunnel: string, deps: CutoverDependencies) {
    this.#tunnel = tunnel;
    this.#deps = deps;
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
   * At the start of the daemon: on the side where it was, or on that of the tunnel; a tunnel that is retired has none. Never
   * rejects.
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

  /** Settles when it is committed, blocked or rolled back. Rejects with `state_dir_unusable`, having changed nothing. */
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

  /** Ends what is under way, on the side of the tunnel; what is committed by then stays so. Never rejects. */
  async abandon(reason: string): Promise<void> {
    this.#running?.stop.abort(new Error(reason));
    await this.#running?.done.catch(() => {});
  }

  /** The way back, at once. */
  async rollback(reason: string, progress: Progress): Promise<Outcome> {
    if (this.#running) progress('a cut-over is under way: it is given up');
    await this.abandon(reason);
    const { phase } = this.position;
    if (phase !== 'committed') return { outcome: 'rolled_back', reason: this.position.reason, checks: [] };
    await this.#fallBack(reason, progress);
    return { outcome: 'rolled_back', reason, checks: [] };
  }

  /** Another configuration; what is under way is not about anything that has changed in it. */
  reconfigure(successor: SuccessorConfig | undefined, retired = false): void {
    this.#adopting.abort();
    this.#successor = successor;
    if (retired && this.position.phase === 'committed') return;
    this.#target = successor?.target;
    if (!this.running && this.route === 'successor') this.#settle();
  }

  /**
   * The successor of the configuration, where that is another one than a retired tunnel's port leads to: the port stays where it
   * is until the check has found nothing against the other one. Never rejects; settles when the check is over.
   *
   * @param check what speaks against the successor, in one sentence; undefined: nothing
   */
  async adopt(check: (successor: SuccessorConfig, signal: AbortSignal) => Promise<string | undefined>): Promise<void> {
    const successor = this.#successor;
    if (!successor || !this.isElsewhere) return;
    this.#adopting = new AbortController();
    const { signal } = this.#adopting;
    const { log } = this.#deps;
    const where = formatAddress(successor.target);
    let told = '';
    while (!signal.aborted) {
      const against = await check(successor, signal).catch(messageOf);
      if (signal.aborted) return;
      if (against === undefined) {
        this.#target = successor.target;
        this.#settle();
        log.info({ event: 'cutover.successor_changed', successor: where }, `the local port leads to ${where} now`);
        return this.#journal.keepSubject();
      }
      if (against !== told)
        log.warn(
          { event: 'cutover.successor_refused', successor: where },
          `the local port stays where it is: ${against}`,
        );
      told = against;
      await sleep(successor.probe.everyMs, signal).catch(() => {});
    }
  }

  /** Whether the port leads to another successor than that of the configuration, or the configuration has none. */
  get isElsewhere(): boolean {
    return this.position.phase === 'committed' && !isDeepStrictEqual(this.#target, this.#successor?.target);
  }

  /** Whoever is in service again has a way back: the port leads nowhere that the configuration does not name. Never rejects. */
  async backInService(): Promise<void> {
    this.#adopting.abort();
    if (!this.isElsewhere) return;
    await this.#fallBack('the successor that the local port led to is not in the configuration any more', () => {});
    this.#target = this.#successor?.target;
  }

  /** Nothing is checked any more. */
  stop(): void {
    this.#adopting.abort();
  }

  /** Out of the configuration: nothing of it is remembered. */
  async forget(): Promise<void> {
    this.#adopting.abort();
    this.junction.release(undefined);
    await this.#deps.store.forget(this.#tunnel).catch((err: unknown) => {
      this.#deps.log.warn(
        { event: 'cutover.not_forgotten', err },
        'the record of a removed tunnel could not be removed',
      );
    });
  }

  sample(now: Date): void {
    this.#usage.sample(now);
  }

  /** Null where there is no successor. */
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

  /** Where it leads while nothing is under way. */
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
        // The checks are told with the outcome, one by one.
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
      if (!isUnderWay(this.position) && !signal.aborted) throw thrown;
      if (!isUnderWay(this.position)) return { outcome: 'blocked', reason, checks };
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
      const expired = () => new Error(`the switch was not done within hold (${holdMs} ms)`);
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

  /** Not given up half way: what the disk says is what a restart goes by. */
  async #commit(progress: Progress): Promise<void> {
    await this.#journal.advance({ kind: 'verified' }, progress);
    this.#settle();
  }

  /** Before the commit the disk says so already: nobody waits for it. After it, the disk has to know first, if it can. */
  async #fallBack(reason: string, progress: Progress): Promise<void> {
    const back = () => this.junction.release(undefined);
    if (this.position.phase !== 'committed') back();
    await this.#journal.advanceAnyway({ kind: 'failed', reason }, progress);
    back();
    await this.#journal.advanceAnyway({ kind: 'returned' }, progress);
  }
}

function staysOn(connections: number): string {
  const these = connections === 1 ? '1 running connection goes' : `${connections} running connections go`;
  return `${these} on through the tunnel until ${connections === 1 ? 'it ends' : 'they end'}`;
}
