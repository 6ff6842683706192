import type { Logger } from '../log.ts';
import { privateDirectory } from '../state/private-directory.ts';
import type { Head } from './chain.ts';
import type { NewEntry } from './entry.ts';
import { EventLog, type LogCondition, type Recovery } from './event-log.ts';
import { type Pulse, readEvent } from './events.ts';
import { History } from './history.ts';
import { Recent } from './recent.ts';

/** Once a minute the log says that the daemon is there, whatever happens. */
const HEARTBEAT_MS = 60_000;

/** A disk that has refused is asked again this often. */
const RETRY_MS = 5_000;

const ROTATE_BYTES = 16 * 1024 * 1024;

const MOST_RECENT = 1_000;

/** Of a damaged log so many places are told; `events --verify` names all. */
const MOST_PROBLEMS = 10;

export interface RecorderOptions {
  /** The state directory. */
  readonly directory: string;
  readonly version: string;
  readonly configSha256: string;
  /** How far back verdicts and availability look, in milliseconds. */
  readonly rememberMs: number;
}

export interface RecorderDependencies {
  readonly log: Logger;
}

/** Something that happened, to be kept. `event` names it, as `tunnel.state` does. */
export type Happening = { readonly event: string } & Readonly<Record<string, unknown>>;

/**
 * Keeps the evidence: what happens goes into the log, and into the history that verdicts ask. Forwarding never waits for
 * it: while the disk refuses, what happens waits in memory, and everybody who looks is told.
 */
export class Recorder {
  readonly #options: RecorderOptions;
  readonly #deps: RecorderDependencies;
  #history = new History();
  readonly #recent = new Recent(MOST_RECENT);
  readonly #startedAt = performance.now();
  #log: EventLog | undefined;
  #unopened: { readonly since: Date; readonly error: Error } | undefined;
  #nextTryAt = 0;
  #nextBeatAt = 0;

  constructor(options: RecorderOptions, deps: RecorderDependencies) {
    this.#options = options;
    this.#deps = deps;
  }

  get history(): History {
    return this.#history;
  }

  /** What is on the disk, and was read or written last. */
  get recent(): Recent {
    return this.#recent;
  }

  get condition(): LogCondition {
    if (this.#unopened) return { kind: 'failing', ...this.#unopened, waiting: 0 };
    return this.#log?.condition ?? { kind: 'ok' };
  }

  /** The entry that everything before hangs on; undefined while there is no log. */
  get head(): Head | undefined {
    return this.#log?.head;
  }

  /** Reads what is there and begins a new run. A directory that cannot be used is no reason to fail: it is tried again. */
  async start(): Promise<void> {
    await this.#open();
  }

  /** Settles once it is on the disk, which may be late; nobody has to wait. */
  record(happening: Happening): Promise<void> {
    return this.#append(happening, true);
  }

  /**
   * To be called about once a second, with what is: the time since the last call counts as watched.
   *
   * @param pulses of every configured tunnel, by name
   */
  async tick(pulses: Readonly<Record<string, Pulse>>): Promise<void> {
    const now = performance.now();
    if (!this.#log && now >= this.#nextTryAt) await this.#open();
    this.#history.watched({ at: new Date(), uptimeMs: this.#uptimeMs });
    for (const [tunnel, { last_activity_at: usedAt }] of Object.entries(pulses))
      if (usedAt !== null) this.#history.used(tunnel, new Date(usedAt));
    if (now < this.#nextBeatAt) return;
    this.#nextBeatAt = now + HEARTBEAT_MS;
    this.#history.forget(Date.now() - this.#options.rememberMs);
    void this.#append({ event: 'heartbeat', tunnels: pulses }, false);
  }

  async stop(): Promise<void> {
    void this.#append({ event: 'daemon.stopped' }, true);
    await this.#log?.close();
    this.#log = undefined;
  }

  get #uptimeMs(): number {
    return performance.now() - this.#startedAt;
  }

  async #append(happening: Happening, durable: boolean): Promise<void> {
    const entry: NewEntry = { at: new Date(), uptimeMs: Math.round(this.#uptimeMs), ...happening };
    this.#history.tell(readEvent(happening), entry);
    const written = await this.#log?.append(entry, durable);
    if (written) this.#recent.add(written);
  }

  async #open(): Promise<void> {
    const { directory, rememberMs, version, configSha256 } = this.#options;
    const history = new History();
    try {
      await privateDirectory(directory);
      const { log, recovery } = await EventLog.open(
        { directory, rotateBytes: ROTATE_BYTES, rememberMs, retryMs: RETRY_MS },
        (entry) => {
          history.tell(readEvent(entry), { at: new Date(entry.at), uptimeMs: entry.uptime_ms });
          this.#recent.add(entry);
        },
        (condition) => this.#onCondition(condition),
      );
      this.#log = log;
      this.#history = history;
      void this.record({ event: 'daemon.started', version, config_sha256: configSha256 });
      this.#report(recovery);
      // What was told before the log could be opened is not in it: the next heartbeat says how everything is.
      this.#nextBeatAt = 0;
      if (this.#unopened) this.#deps.log.info({ event: 'evidence.resumed' }, 'the evidence log is written again');
      this.#unopened = undefined;
    } catch (thrown) {
      const error = thrown instanceof Error ? thrown : new Error(String(thrown));
      const news = this.#unopened?.error.message !== error.message;
      this.#unopened = { since: this.#unopened?.since ?? new Date(), error };
      this.#nextTryAt = performance.now() + RETRY_MS;
      if (news) this.#onCondition(this.condition);
    }
  }

  #onCondition(condition: LogCondition): void {
    if (condition.kind === 'ok')
      this.#deps.log.info({ event: 'evidence.resumed' }, 'the evidence log is written again');
    else {
      const { error, waiting } = condition;
      this.#deps.log.error(
        { event: 'evidence.failing', err: error, waiting },
        `the evidence is not being written: ${error.message}`,
      );
    }
  }

  /** What was found at start is evidence as well. */
  #report({ tornBytes, problems }: Recovery): void {
    if (tornBytes > 0) {
      this.#deps.log.warn(
        { event: 'evidence.repaired', bytes: tornBytes },
        `the last line of the evidence log was torn: ${tornBytes} bytes cut off`,
      );
      void this.record({ event: 'log.repaired', bytes: tornBytes });
    }
    if (problems.length === 0) return;
    const shown = problems.slice(0, MOST_PROBLEMS).map(({ file, line, message }) => `${file}:${line} ${message}`);
    this.#deps.log.error({ event: 'evidence.damaged', problems: shown }, `the evidence log was damaged: ${shown[0]}`);
    void this.record({ event: 'log.damaged', problems: shown, count: problems.length });
  }
}
