import { abortable, withDeadline } from '../../base/async/deadline.ts';
import { follow } from '../../base/async/follow.ts';
import { Turns } from '../../base/async/turns.ts';
import { messageOf, TunnelError } from '../../base/errors.ts';
import { formatAddress } from '../../base/net/address.ts';
import type { SuccessorConfig } from '../../config/config.ts';
import type { TakeNote } from '../../telemetry/happening.ts';
import type { Logger } from '../../telemetry/log/log.ts';
import type { OwnCutoverStatus, Route } from '../../telemetry/status/status.ts';
import { DirectSource } from '../../tunnels/forward/direct-source.ts';
import { Junction } from '../../tunnels/forward/junction.ts';
import { Usage } from '../../tunnels/forward/usage.ts';
import { type CutoverEvent, isUnderWay, next, type Position, restingRoute, resume } from './phase.ts';
import { type Check, probeOnce } from './preflight.ts';
import { quiesce, Trial, verify } from './run.ts';
import type { CutoverRecord, CutoverStore } from './store.ts';

/** Tells whoever has asked how it goes on, one line at a time. */
export type Tell = (line: string) => void;

export interface CutoverDependencies {
  readonly store: Pick<CutoverStore, 'read' | 'write' | 'forget'>;
  readonly note: TakeNote;
  readonly log: Logger;
  /** How long a disk that does not answer may keep somebody from going back, in milliseconds. Default 2000. */
  readonly patienceMs?: number;
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

/** The disk may take so long to keep a phase. */
const PATIENCE_MS = 2_000;

const START: Position = { phase: 'idle', since: new Date(0), reason: null };

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
  #position = START;
  #successor: SuccessorConfig | undefined;
  #running: { readonly stop: AbortController; readonly done: Promise<Outcome> } | undefined;
  /** Records are written one after the other. */
  readonly #writes = new Turns();

  constructor(tunnel: string, deps: CutoverDependencies) {
    this.#tunnel = tunnel;
    this.#deps = deps;
  }

  get position(): Position {
    return this.#position;
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
    const now = new Date();
    try {
      const record = await this.#deps.store.read(this.#tunnel);
      if (!record) return;
      this.#position = resume({ phase: record.phase, since: new Date(record.since), reason: record.reason }, now);
      const elsewhere = record.successor !== null && record.successor !== targetOf(successor);
      if (this.#position.phase === 'committed' && elsewhere && !retired) {
        const reason = `the successor that it was made to, ${record.successor}, is not in the configuration any more`;
        this.#position = { phase: 'rolled_back', since: now, reason };
      }
      this.#settle();
      this.#tell('cutover.resumed', record.phase, undefined);
      if (this.#position.phase !== record.phase) void this.#write(this.#position).catch(() => {});
    } catch (error) {
      const reason = `what was kept of its cut-over cannot be used, its clients go through the tunnel: ${TunnelError.from(error).message}`;
      this.#position = { phase: 'idle', since: now, reason };
      this.#deps.log.error({ event: 'cutover.unreadable', err: error }, reason);
      this.#deps.note({ event: 'cutover.unreadable', tunnel: this.#tunnel, reason });
    }
  }

  /** Settles when it is committed, blocked or rolled back. Rejects with `state_dir_unusable`, having changed nothing. */
  start(task: CutoverTask, tell: Tell): Promise<Outcome> {
    const stop = new AbortController();
    this.#successor = task.successor;
    const done = this.#run(task, tell, stop.signal).finally(() => {
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
  async rollback(reason: string, tell: Tell): Promise<Outcome> {
    if (this.#running) tell('a cut-over is under way: it is given up');
    await this.abandon(reason);
    const { phase } = this.#position;
    if (phase !== 'committed') return { outcome: 'rolled_back', reason: this.#position.reason, checks: [] };
    await this.#fallBack(reason, tell);
    return { outcome: 'rolled_back', reason, checks: [] };
  }

  /** Another configuration; what is under way is not about anything that has changed in it. */
  reconfigure(successor: SuccessorConfig | undefined): void {
    this.#successor = successor;
    if (!this.running && this.route === 'successor') this.#settle();
  }

  /** Out of the configuration: nothing of it is remembered. */
  async forget(): Promise<void> {
    await this.#writes.over;
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
    if (!this.#successor) return null;
    const { phase, since, reason } = this.#position;
    return {
      phase,
      since,
      reason,
      successor: formatAddress(this.#successor.target),
      usage: this.#usage.status(),
    };
  }

  /** Where it leads while nothing is under way. */
  #settle(): void {
    const away = restingRoute(this.#position) === 'successor';
    this.junction.release(away ? this.#detour('reset', () => {}) : undefined);
  }

  #detour(otherwise: 'reset' | 'tunnel', onTaken: (error: TunnelError | undefined) => void) {
    const target = this.#successor?.target;
    return target && { source: this.#direct, target, usage: this.#usage, otherwise, onTaken };
  }

  async #run(task: CutoverTask, tell: Tell, signal: AbortSignal): Promise<Outcome> {
    let checks: Check[] = [];
    try {
      await this.#advance({ kind: 'asked' }, tell, signal);
      checks = await abortable(task.preflight(signal), signal);
      const against = checks.filter(({ ok }) => !ok);
      if (against.length > 0) {
        const reason = against.flatMap(({ message, details }) => [message, ...details]).join('; ');
        // The checks are told with the outcome, one by one.
        await this.#advance({ kind: 'blocked', reason }, () => {});
        return { outcome: 'blocked', reason, checks };
      }
      await this.#advance({ kind: 'cleared' }, tell, signal);
      await this.#switch(task, tell, signal);
      return { outcome: 'committed', reason: null, checks };
    } catch (thrown) {
      const reason = messageOf(thrown);
      const { phase } = this.#position;
      if (phase === 'preflight') {
        await this.#note({ kind: 'blocked', reason }, tell);
        return { outcome: 'blocked', reason, checks };
      }
      if (!isUnderWay(this.#position) && !signal.aborted) throw thrown;
      if (!isUnderWay(this.#position)) return { outcome: 'blocked', reason, checks };
      await this.#fallBack(reason, tell);
      return { outcome: 'rolled_back', reason, checks };
    }
  }

  async #switch({ successor, maxConnections }: CutoverTask, tell: Tell, signal: AbortSignal): Promise<void> {
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
        await this.#advance({ kind: 'quiet' }, tell, inTime);
      });
      const staying = this.junction.through;
      this.junction.release(this.#detour('tunnel', (error) => trial.taken(error)));
      if (staying > 0) tell(staysOn(staying));
      await this.#advance({ kind: 'switched' }, tell, failure.signal);
      await verify(successor, trial, (over) => probeOnce(successor, this.#asking, over), failure.signal);
      await this.#commit(tell);
    } finally {
      failure.end();
    }
  }

  /** Not given up half way: what the disk says is what a restart goes by. */
  async #commit(tell: Tell): Promise<void> {
    await this.#advance({ kind: 'verified' }, tell);
    this.#settle();
  }

  /** Before the commit the disk says so already: nobody waits for it. After it, the disk has to know first, if it can. */
  async #fallBack(reason: string, tell: Tell): Promise<void> {
    const back = () => this.junction.release(undefined);
    if (this.#position.phase !== 'committed') back();
    await this.#note({ kind: 'failed', reason }, tell);
    back();
    await this.#note({ kind: 'returned' }, tell);
  }

  /** The phase after the event, on the disk first. Rejects, with nothing changed, if it cannot be written in time. */
  async #advance(event: CutoverEvent, tell: Tell, signal?: AbortSignal): Promise<void> {
    const position = next(this.#position, event, new Date());
    if (!position) throw new Error(`a cut-over that is ${this.#position.phase} cannot be ${event.kind}`);
    await this.#writeInTime(position, signal);
    this.#enter(position, tell);
  }

  /** The phase after the event, on the disk if that answers in time. */
  async #note(event: CutoverEvent, tell: Tell): Promise<void> {
    const position = next(this.#position, event, new Date());
    if (!position) return;
    await this.#writeInTime(position).catch((err: unknown) => {
      this.#deps.log.error({ event: 'cutover.not_kept', err }, `the phase ${position.phase} could not be kept`);
      tell(`could not be kept on the disk: ${messageOf(err)}`);
    });
    this.#enter(position, tell);
  }

  #writeInTime(position: Position, signal?: AbortSignal): Promise<void> {
    const { patienceMs = PATIENCE_MS } = this.#deps;
    const expired = () =>
      new TunnelError('state_dir_unusable', `the state directory did not answer within ${patienceMs} ms`);
    return withDeadline(patienceMs, signal, expired, (inTime) => abortable(this.#write(position), inTime));
  }

  #enter(position: Position, tell: Tell): void {
    const from = this.#position.phase;
    this.#position = position;
    this.#tell('cutover.phase', from, tell);
  }

  #tell(event: string, from: Position['phase'], tell: Tell | undefined): void {
    const { phase, reason, since } = this.#position;
    const fields = { event, from, to: phase, reason, successor: targetOf(this.#successor), route: this.route };
    this.#deps.note({ ...fields, tunnel: this.#tunnel }, event === 'cutover.phase' ? since : undefined);
    const words = `cut-over: ${from} -> ${phase}${reason === null ? '' : `: ${reason}`}`;
    this.#deps.log[phase === 'rolling_back' ? 'warn' : 'info'](fields, words);
    // Why it goes back was told when it began to.
    tell?.(reason === null || phase === 'rolled_back' ? phase : `${phase}: ${reason}`);
  }

  #write({ phase, since, reason }: Position): Promise<void> {
    const record: CutoverRecord = {
      version: 1,
      tunnel: this.#tunnel,
      phase,
      since: since.toISOString(),
      reason,
      successor: targetOf(this.#successor),
    };
    return this.#writes.take(() => this.#deps.store.write(record));
  }
}

function staysOn(connections: number): string {
  const these = connections === 1 ? '1 running connection goes' : `${connections} running connections go`;
  return `${these} on through the tunnel until ${connections === 1 ? 'it ends' : 'they end'}`;
}

function targetOf(successor: SuccessorConfig | undefined): string | null {
  return successor ? formatAddress(successor.target) : null;
}
