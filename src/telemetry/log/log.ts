import { type Level, pino, stdTimeFunctions } from 'pino';
import type { LogLevel } from '../../config/config.ts';
import { errorFields } from './error-fields.ts';
import { shorten } from './shorten.ts';
import { isJournal, type LineSink, StderrSink } from './stderr.ts';

/** The fields of a line. `event` is stable and what alerts match on; everything else may be added freely. */
export interface LogFields {
  /** Subject and what happened to it: `tunnel.state`, `session.lost`. */
  readonly event: string;
  readonly tunnel?: string | undefined;
  /** `actor@host`. */
  readonly link?: string | undefined;
  /** Anything thrown: becomes code, message, hint and causes; a stack only for bugs. */
  readonly err?: unknown;
  readonly [field: string]: unknown;
}

type Write = (fields: LogFields, message: string) => void;

/** Structured log: one line a transition. */
export interface Logger {
  readonly trace: Write;
  readonly debug: Write;
  readonly info: Write;
  readonly warn: Write;
  readonly error: Write;
  readonly fatal: Write;
  /** A logger whose lines all carry `fields`. It follows later changes of the level. */
  child(fields: Readonly<Record<string, unknown>>): Logger;
}

/** The daemon's own logger, and the only handle on the level. */
export interface RootLogger extends Logger {
  /** From now on, for every child too (reload). */
  setLevel(level: LogLevel): void;
}

export interface LoggerOptions {
  readonly level: LogLevel;
  /** Where lines go instead of standard error. */
  readonly stream?: LineSink;
  /** Whether lines carry journald's priority; by default when standard error is the journal and `stream` is not given. */
  readonly journal?: boolean;
}

/** Below a pipe's atomic write (4096) and journald's field limit, priority prefix included. */
const MAX_LINE_BYTES = 4_000;

/** syslog(3) priorities, as sd-daemon(3) prefixes. */
const PRIORITY: Record<Level, number> = { trace: 7, debug: 7, info: 6, warn: 4, error: 3, fatal: 2 };

const LEVELS: readonly Level[] = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'];

/** The one place where a logger is made: NDJSON on standard error, with journald priorities where that is the journal. */
export function createLogger(options: LoggerOptions): RootLogger {
  const sink = options.stream ?? new StderrSink();
  const { JOURNAL_STREAM } = process.env;
  const journal = options.journal ?? (options.stream === undefined && isJournal(JOURNAL_STREAM));
  let threshold = LEVELS.indexOf(options.level);
  let priority = PRIORITY.info;

  const lines = pino(
    {
      level: 'trace',
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      // Already done: pino's own would find no Error there any more, and add an empty stack.
      serializers: { err: (fields: unknown) => fields },
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: (line: string) => sink.write(journal ? `<${priority}>${line}` : line) },
  );

  // The threshold is ours, not pino's: a pino child keeps the level it was born with, and a reload must reach them all.
  const at =
    (level: Level, bound: Readonly<Record<string, unknown>>): Write =>
    (fields, message) => {
      if (LEVELS.indexOf(level) < threshold) return;
      priority = PRIORITY[level];
      lines[level](lineOf({ ...bound, ...fields, msg: message }));
    };

  const bind = (bound: Readonly<Record<string, unknown>>): Logger => ({
    trace: at('trace', bound),
    debug: at('debug', bound),
    info: at('info', bound),
    warn: at('warn', bound),
    error: at('error', bound),
    fatal: at('fatal', bound),
    child: (fields) => bind({ ...bound, ...fields }),
  });

  return {
    ...bind({}),
    setLevel: (level) => {
      threshold = LEVELS.indexOf(level);
    },
  };
}

/** A log line must never be the reason why the daemon fails: a field that cannot be read costs the fields, not the line. */
function lineOf(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { event, msg, err } = fields;
  try {
    return shorten(err === undefined ? fields : { ...fields, err: errorFields(err) }, MAX_LINE_BYTES);
  } catch {
    return { event, msg, unreadable: true };
  }
}
