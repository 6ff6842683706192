import { settledWithin } from '../../base/async/settled-within.ts';
import { asError } from '../../base/errors.ts';
import type { Unwritten } from '../../base/files/state-writer.ts';
import { machineHash } from '../../base/this-machine.ts';
import type { Happening } from '../../telemetry/happening.ts';
import type { Logger } from '../../telemetry/log/log.ts';
import { Backlog, type Waiting } from './backlog.ts';
import type { Head } from './chain.ts';
import type { Entry, NewEntry } from './entry.ts';
import { EventLog, type LogCondition } from './event-log.ts';
import { type HostPulse, pulseRecordOf, readEvent, type TunnelPulse } from './events.ts';
import { READ_MS } from './files.ts';
import { History, type TunnelHistory } from './history.ts';
import { Recent } from './recent.ts';
import type { Recovery } from './recovery.ts';
import { Standing } from './standing.ts';

/** Pause between heartbeats, in milliseconds. */
const HEARTBEAT_MS = 60_000;

/** Pause between attempts while writing fails, in milliseconds. */
const RETRY_MS = 2_000;

const ROTATE_BYTES = 16 * 1024 * 1024;

/** Age of the oldest history in memory, in milliseconds; longer than any likely quiet period. */
const REMEMBER_MS = 92 * 86_400_000;

const MOST_RECENT = 1_000;

/** Most reported problems of a damaged log; `events --verify` lists all. */
const MOST_PROBLEMS = 10;

/** Longest wait for a write and for the opening, in milliseconds: a failing disk must not stop anything else. */
const WAIT_MS = 1_000;
const OPEN_MS = 10_000;

/** A disk that needs longer for one step counts as not answering, in milliseconds. */
const SLOW_MS = 3_000;

export interface RecorderOptions {
  /** The state directory. */
  readonly directory: string;
  readonly version: string;
  /** The name of this node. */
  readonly node: string;
  /** In milliseconds. Default one minute. */
  readonly heartbeatMs?: number | undefined;
}

export interface RecorderDependencies {
  readonly log: Logger;
  /** Makes sure that the state directory is there and belongs to this process. Rejects with the reason if not. */
  claim(): Promise<void>;
  /** The log of earlier runs was read: what it says about retirements, with the events of this run so far. */
  onRead?(standing: Standing): void;
}

/** `opening`: the log of earlier runs is still being read. */
export type EvidenceCondition = LogCondition | { readonly kind: 'opening' };

/**
 * Records events in the log and in the history for verdicts. Forwarding never waits for the disk: while writing fails, events
 * wait in memory, and an advisory says so.
 */
export class Recorder {
  readonly #options: RecorderOptions;
  readonly #deps: RecorderDependencies;
  readonly #recent = new Recent(MOST_RECENT);
  readonly #startedAt = performance.now();
  readonly #startedOn = new Date();
  /** What happened before {@link start}: a run begins with `daemon.started`. */
  #early: Waiting[] | undefined = [];
  /** Events before the log is open. */
  readonly #backlog = new Backlog();
  #history = new History();
  #log: EventLog | undefined;
  #opening: Promise<void> | undefined;
  #unopened: { readonly since: Date; readonly error: Error } | undefined;
  /** The last progress of the opening, by the monotonic clock. */
  #progressAt = 0;
  #nextTryAt = 0;
  #nextBeatAt = 0;
  #lastWrite: Promise<unknown> = Promise.resolve();
  /** The last error that was logged. */
  #loggedError: string | undefined;
  #stopped = false;

  constructor(options: RecorderOptions, deps: RecorderDependencies) {
    this.#options = options;
    this.#deps = deps;
  }

  /** The last entries on disk, without heartbeats. */
  get recent(): Recent {
    return this.#recent;
  }

  get condition(): EvidenceCondition {
    if (this.#log) return this.#log.condition;
    if (!this.#unopened) return { kind: 'opening' };
    return { kind: 'failing', ...this.#unopened, waiting: this.#backlog.size };
  }

  /** Why the evidence is not on the disk now; undefined while it is. */
  get unwritten(): { readonly since: Date | undefined; readonly message: string } | undefined {
    const { condition } = this;
    if (condition.kind === 'ok') return undefined;
    if (condition.kind === 'opening')
      return { since: undefined, message: 'the evidence of earlier runs is still being read' };
    const { since, error } = condition;
    return { since, message: `the evidence cannot be written: ${error.message}` };
  }

  /** State files of the evidence whose newest content is not on the disk. */
  get unwrittenFiles(): Unwritten[] {
    // While the log itself fails, an advisory of its own says so, and the older head is still true.
    const head = this.condition.kind === 'ok' ? this.#log?.unwritten : undefined;
    return head ? [head] : [];
  }

  /** The last entry, whose hash covers all earlier ones; undefined until the log is open. */
  get head(): Head | undefined {
    return this.#log?.head;
  }

  /**
   * The history of a tunnel over all runs. Undefined until the log is open: the current run alone proves nothing.
   */
  historyOf(tunnel: string): TunnelHistory | undefined {
    return this.#log && this.#history.of(tunnel, { wall: Date.now(), uptimeMs: this.#uptimeMs });
  }

  /**
   * Begins a new run; settles when the log has been read. Never fails for an unusable directory: the recorder tries again
   * later.
   */
  async start(configSha256: string): Promise<void> {
    const { version, node } = this.#options;
    const machine = machineHash() ?? null;
    const early = this.#early ?? [];
    this.#early = undefined;
    const fields = { event: 'daemon.started', version, config_sha256: configSha256, node, machine };
    this.#take({ entry: { at: this.#startedOn, uptimeMs: 0, ...fields }, durable: true });
    for (const each of early) this.#take(each);
    await this.#open();
  }

  /** Records an event; it reaches the disk soon. */
  note(happening: Happening, at = new Date()): void {
    this.#append(happening, at, true);
  }

  /** Settles when the log has been read, or cannot be. Bounded. */
  async opened(): Promise<void> {
    await settledWithin(Promise.resolve(this.#opening), OPEN_MS);
  }

  /** Looks now whether the log is still the one that is written; {@link condition} tells. Bounded. */
  async check(): Promise<void> {
    await settledWithin(Promise.resolve(this.#log?.check()), WAIT_MS);
  }

  /** Settles when all events so far are on disk; at once while writing fails, and within a second in any case. */
  async settled(): Promise<void> {
    if (this.condition.kind === 'failing') return;
    const written = Promise.resolve(this.#opening).then(() => this.#log && this.#lastWrite);
    await settledWithin(written, WAIT_MS);
  }

  /**
   * Call about once a second with the current state: the time since the last call counts as watched.
   *
   * @param uses when clients last used a tunnel, by name
   * @param pulses the state of every configured tunnel, by name; called for heartbeats only
   * @param hosts the looks since the previous heartbeat, by host; called for heartbeats only
   */
  tick(
    uses: ReadonlyMap<string, Date>,
    pulses: () => ReadonlyMap<string, TunnelPulse>,
    hosts: () => Readonly<Record<string, HostPulse>> = () => ({}),
  ): void {
    const now = performance.now();
    if (this.#log) void this.#log.check();
    else if (!this.#opening && now >= this.#nextTryAt) void this.#open();
    else if (this.#opening && now - this.#progressAt > SLOW_MS) this.#cannotOpen(new Error('the disk does not answer'));
    this.#history.watched({ at: new Date(), uptimeMs: this.#uptimeMs });
    for (const [tunnel, usedAt] of uses) this.#history.used(tunnel, usedAt);
    if (now < this.#nextBeatAt) return;
    this.#nextBeatAt = now + this.#heartbeatMs;
    this.#history.forget(Date.now() - REMEMBER_MS);
    const tunnels = Object.fromEntries(Array.from(pulses(), ([name, pulse]) => [name, pulseRecordOf(pulse)]));
    this.#append({ event: 'heartbeat', tunnels, hosts: hosts() }, new Date(), false);
  }

  /** Ends the run. Bounded, even if the disk hangs. */
  async stop(): Promise<void> {
    this.note({ event: 'daemon.stopped' });
    this.#stopped = true;
    const closed = Promise.resolve(this.#opening).then(() => this.#log?.close());
    await settledWithin(closed, WAIT_MS);
  }

  get #heartbeatMs(): number {
    return this.#options.heartbeatMs ?? HEARTBEAT_MS;
  }

  get #uptimeMs(): number {
    // In whole milliseconds for lines and ticks alike: a tick after a line that was rounded up would be before that line.
    return Math.round(performance.now() - this.#startedAt);
  }

  #append(happening: Happening, at: Date, durable: boolean): void {
    if (this.#stopped) return;
    const entry: NewEntry = { at, uptimeMs: this.#uptimeMs, ...happening };
    if (this.#early) this.#early.push({ entry, durable });
    else this.#take({ entry, durable });
  }

  #take({ entry, durable }: Waiting): void {
    this.#history.record(readEvent(entry), entry);
    if (this.#log) this.#lastWrite = this.#log.append(entry, durable);
    else this.#backlog.add({ entry, durable });
  }

  #open(): Promise<void> {
    this.#opening ??= this.#openOnce().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  async #openOnce(): Promise<void> {
    const { directory } = this.#options;
    const history = new History();
    const standing = new Standing();
    const found = new Recent(MOST_RECENT);
    const options = {
      directory,
      rotateBytes: ROTATE_BYTES,
      lookMs: this.#heartbeatMs,
      rememberMs: READ_MS,
      retryMs: RETRY_MS,
      slowMs: SLOW_MS,
    };
    const { claim } = this.#deps;
    this.#progressAt = performance.now();
    try {
      await claim();
      const { log, recovery } = await EventLog.open(
        { ...options, claim, uptimeMs: () => this.#uptimeMs },
        {
          onFound: (entry) => {
            this.#progressAt = performance.now();
            const [event, at] = [readEvent(entry), new Date(entry.at)];
            history.record(event, { at, uptimeMs: entry.uptime_ms });
            standing.record(event, at);
            found.add(entry);
          },
          onWritten: (entry) => this.#onWritten(entry),
          onCondition: (condition) => this.#onCondition(condition),
        },
      );
      this.#history = history;
      this.#recent.begin(found);
      const { waiting, dropped } = this.#backlog.take();
      for (const { entry, durable } of waiting) {
        const event = readEvent(entry);
        history.record(event, entry);
        standing.record(event, entry.at);
        this.#lastWrite = log.append(entry, durable);
      }
      this.#log = log;
      this.#deps.onRead?.(standing);
      this.#report(recovery);
      this.#reportAbsence(dropped);
    } catch (thrown) {
      this.#nextTryAt = performance.now() + RETRY_MS;
      this.#cannotOpen(asError(thrown));
    }
  }

  #cannotOpen(error: Error): void {
    this.#unopened = { since: this.#unopened?.since ?? new Date(), error };
    this.#onCondition(this.condition);
  }

  /** Some entries are made by the log itself. */
  #onWritten(entry: Entry): void {
    this.#recent.add(entry);
    if (entry.event !== 'log.seam' && entry.event !== 'log.resumed') return;
    this.#history.record(readEvent(entry), { at: new Date(), uptimeMs: this.#uptimeMs });
    if (entry.event !== 'log.seam') return;
    const { seq, reason, set_aside } = entry;
    this.#deps.log.error(
      { event: 'evidence.seam', entry: seq, reason, set_aside },
      `${String(reason)} while the daemon ran: a new file begins with entry ${seq}`,
    );
  }

  #onCondition(condition: EvidenceCondition): void {
    if (condition.kind !== 'failing') {
      this.#loggedError = undefined;
      this.#deps.log.info({ event: 'evidence.resumed' }, 'evidence is written again');
      return;
    }
    const { error } = condition;
    if (this.#loggedError === error.message) return;
    this.#loggedError = error.message;
    this.#deps.log.error({ event: 'evidence.unavailable', err: error }, `cannot write evidence: ${error.message}`);
  }

  /** Records the problems found at the start. */
  #report({ tornBytes, problems, headLost }: Recovery): void {
    if (tornBytes > 0) {
      this.#deps.log.warn(
        { event: 'evidence.repaired', bytes: tornBytes },
        `the last line of the evidence log was incomplete; removed ${tornBytes} bytes`,
      );
      this.note({ event: 'log.repaired', bytes: tornBytes });
    }
    if (headLost) {
      this.#deps.log.warn(
        { event: 'evidence.head_lost' },
        'events.head is missing or unreadable: nobody can tell whether the evidence log has its end',
      );
      this.note({ event: 'log.head_lost' });
    }
    if (problems.length === 0) return;
    const shown = problems.slice(0, MOST_PROBLEMS).map(({ file, line, message }) => `${file}:${line} ${message}`);
    this.#deps.log.error(
      { event: 'evidence.damaged', problems: shown },
      `the evidence log is damaged: ${shown[0]}; run \`fleet-mesh events --verify\``,
    );
    this.note({ event: 'log.damaged', problems: shown, count: problems.length });
  }

  /** Records that the log could not be opened for a time, like `log.resumed` of the log itself. */
  #reportAbsence(dropped: number): void {
    if (!this.#unopened) return;
    const { since, error } = this.#unopened;
    this.#unopened = undefined;
    this.note({ event: 'log.resumed', since: since.toISOString(), error: error.message, dropped });
    this.#onCondition(this.condition);
  }
}
