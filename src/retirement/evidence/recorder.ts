import { settledWithin } from '../../base/async/settled-within.ts';
import { asError } from '../../base/errors.ts';
import { privateDirectory } from '../../base/files/private-directory.ts';
import type { Happening } from '../../telemetry/happening.ts';
import type { Logger } from '../../telemetry/log/log.ts';
import { Backlog } from './backlog.ts';
import type { Head } from './chain.ts';
import type { NewEntry } from './entry.ts';
import { EventLog, type LogCondition } from './event-log.ts';
import { type HostPulse, pulseRecordOf, readEvent, type TunnelPulse } from './events.ts';
import { History, type TunnelHistory } from './history.ts';
import { Recent } from './recent.ts';
import type { Recovery } from './recovery.ts';

/** Once a minute the log says that the daemon is there, whatever happens. */
const HEARTBEAT_MS = 60_000;

/** A disk that has refused is asked again this often. */
const RETRY_MS = 2_000;

const ROTATE_BYTES = 16 * 1024 * 1024;

/** Longer than the longest availability: what is read at the start. */
const READ_MS = 31 * 86_400_000;

/** Longer than any quiet period is likely to be: what a run remembers of itself. */
const REMEMBER_MS = 92 * 86_400_000;

const MOST_RECENT = 1_000;

/** Of a damaged log so many places are told; `events --verify` names all. */
const MOST_PROBLEMS = 10;

/** Whoever waits for the disk waits no longer: what it refuses must not stop anything else. */
const WAIT_MS = 1_000;
const OPEN_MS = 10_000;

export interface RecorderOptions {
  /** The state directory. */
  readonly directory: string;
  readonly version: string;
  /** By default a minute. */
  readonly heartbeatMs?: number | undefined;
}

export interface RecorderDependencies {
  readonly log: Logger;
}

/** `opening`: what happened before is still being read. */
export type EvidenceCondition = LogCondition | { readonly kind: 'opening' };

/**
 * Keeps the evidence: what happens goes into the log, and into the history that verdicts ask. Forwarding never waits for
 * it: while the disk refuses, what happens waits in memory, and everybody who looks is told.
 */
export class Recorder {
  readonly #options: RecorderOptions;
  readonly #deps: RecorderDependencies;
  readonly #recent = new Recent(MOST_RECENT);
  readonly #startedAt = performance.now();
  /** Until the log is open. */
  readonly #backlog = new Backlog();
  #history = new History();
  #log: EventLog | undefined;
  #opening: Promise<void> | undefined;
  #unopened: { readonly since: Date; readonly error: Error } | undefined;
  #nextTryAt = 0;
  #nextBeatAt = 0;
  #lastWrite: Promise<unknown> = Promise.resolve();
  /** The last trouble that the log has told of. */
  #told: string | undefined;
  #stopped = false;

  constructor(options: RecorderOptions, deps: RecorderDependencies) {
    this.#options = options;
    this.#deps = deps;
  }

  /** What is on the disk, and was read or written last; without the heartbeats. */
  get recent(): Recent {
    return this.#recent;
  }

  get condition(): EvidenceCondition {
    if (this.#log) return this.#log.condition;
    if (!this.#unopened) return { kind: 'opening' };
    return { kind: 'failing', ...this.#unopened, waiting: this.#backlog.size };
  }

  /** The entry that everything before hangs on; undefined while there is no log. */
  get head(): Head | undefined {
    return this.#log?.head;
  }

  /**
   * What is known of a tunnel, over restarts, up to now. Undefined while the log is not open: nothing may be concluded from
   * the present run alone.
   */
  historyOf(tunnel: string): TunnelHistory | undefined {
    return this.#log && this.#history.of(tunnel, { wall: Date.now(), uptimeMs: this.#uptimeMs });
  }

  /**
   * Begins a new run; settles when what was there is read. A directory that cannot be used is no reason to fail: it is tried
   * again, and nobody has to wait.
   */
  async start(configSha256: string): Promise<void> {
    this.note({ event: 'daemon.started', version: this.#options.version, config_sha256: configSha256 });
    await this.#open();
  }

  /** It will be on the disk, soon. */
  note(happening: Happening, at = new Date()): void {
    this.#append(happening, at, true);
  }

  /** Settles when what was there is read, or cannot be. Bounded. */
  async opened(): Promise<void> {
    await settledWithin(Promise.resolve(this.#opening), OPEN_MS);
  }

  /** Settles when what was noted so far is on the disk; at once while that refuses, and in any case in a second. */
  async settled(): Promise<void> {
    if (this.condition.kind === 'failing') return;
    const written = Promise.resolve(this.#opening).then(() => this.#log && this.#lastWrite);
    await settledWithin(written, WAIT_MS);
  }

  /**
   * To be called about once a second, with what is: the time since the last call counts as watched.
   *
   * @param pulses of every configured tunnel, by name
   * @param hosts what was found since the heartbeat before, by host; asked for each heartbeat only
   */
  tick(
    pulses: Readonly<Record<string, TunnelPulse>>,
    hosts: () => Readonly<Record<string, HostPulse>> = () => ({}),
  ): void {
    const now = performance.now();
    if (!this.#log && !this.#opening && now >= this.#nextTryAt) void this.#open();
    this.#history.watched({ at: new Date(), uptimeMs: this.#uptimeMs });
    for (const [tunnel, { lastActivityAt }] of Object.entries(pulses))
      if (lastActivityAt) this.#history.used(tunnel, lastActivityAt);
    if (now < this.#nextBeatAt) return;
    this.#nextBeatAt = now + (this.#options.heartbeatMs ?? HEARTBEAT_MS);
    this.#history.forget(Date.now() - REMEMBER_MS);
    const tunnels = Object.fromEntries(Object.entries(pulses).map(([name, pulse]) => [name, pulseRecordOf(pulse)]));
    this.#append({ event: 'heartbeat', tunnels, hosts: hosts() }, new Date(), false);
  }

  /** Ends the run. Bounded: a disk that hangs is left to itself. */
  async stop(): Promise<void> {
    this.note({ event: 'daemon.stopped' });
    this.#stopped = true;
    const closed = Promise.resolve(this.#opening).then(() => this.#log?.close());
    await settledWithin(closed, WAIT_MS);
  }

  get #uptimeMs(): number {
    return performance.now() - this.#startedAt;
  }

  #append(happening: Happening, at: Date, durable: boolean): void {
    if (this.#stopped) return;
    const entry: NewEntry = { at, uptimeMs: Math.round(this.#uptimeMs), ...happening };
    this.#history.tell(readEvent(happening), entry);
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
    const found = new Recent(MOST_RECENT);
    try {
      await privateDirectory(directory);
      const { log, recovery } = await EventLog.open(
        { directory, rotateBytes: ROTATE_BYTES, rememberMs: READ_MS, retryMs: RETRY_MS },
        {
          onFound: (entry) => {
            history.tell(readEvent(entry), { at: new Date(entry.at), uptimeMs: entry.uptime_ms });
            found.add(entry);
          },
          onWritten: (entry) => this.#recent.add(entry),
          onCondition: (condition) => this.#onCondition(condition),
        },
      );
      this.#history = history;
      this.#recent.begin(found);
      const { waiting, dropped } = this.#backlog.take();
      for (const { entry, durable } of waiting) {
        history.tell(readEvent(entry), entry);
        this.#lastWrite = log.append(entry, durable);
      }
      this.#log = log;
      this.#report(recovery);
      this.#reportAbsence(dropped);
    } catch (thrown) {
      const error = asError(thrown);
      this.#unopened = { since: this.#unopened?.since ?? new Date(), error };
      this.#nextTryAt = performance.now() + RETRY_MS;
      this.#onCondition(this.condition);
    }
  }

  #onCondition(condition: EvidenceCondition): void {
    if (condition.kind !== 'failing') {
      this.#told = undefined;
      this.#deps.log.info({ event: 'evidence.resumed' }, 'the evidence log is written again');
      return;
    }
    const { error } = condition;
    if (this.#told === error.message) return;
    this.#told = error.message;
    this.#deps.log.error(
      { event: 'evidence.unavailable', err: error },
      `the evidence is not being written: ${error.message}`,
    );
  }

  /** What was found at start is evidence as well. */
  #report({ tornBytes, problems }: Recovery): void {
    if (tornBytes > 0) {
      this.#deps.log.warn(
        { event: 'evidence.repaired', bytes: tornBytes },
        `the last line of the evidence log was torn: ${tornBytes} bytes cut off`,
      );
      this.note({ event: 'log.repaired', bytes: tornBytes });
    }
    if (problems.length === 0) return;
    const shown = problems.slice(0, MOST_PROBLEMS).map(({ file, line, message }) => `${file}:${line} ${message}`);
    this.#deps.log.error({ event: 'evidence.damaged', problems: shown }, `the evidence log was damaged: ${shown[0]}`);
    this.note({ event: 'log.damaged', problems: shown, count: problems.length });
  }

  /** As the log itself says it of a disk that refused meanwhile. */
  #reportAbsence(dropped: number): void {
    if (!this.#unopened) return;
    const { since, error } = this.#unopened;
    this.#unopened = undefined;
    this.note({ event: 'log.resumed', since: since.toISOString(), error: error.message, dropped });
    this.#onCondition(this.condition);
  }
}
