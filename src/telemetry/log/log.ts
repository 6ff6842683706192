import { isatty } from 'node:tty';
import { type Level, pino, stdTimeFunctions } from 'pino';
import { wantsNoColour } from '../../base/text/plain-terminal.ts';
import { visible } from '../../base/text/printable.ts';
import type { LogFormat, LogLevel } from '../../config/config.ts';
import { errorFields } from './error-fields.ts';
import { shorten } from './shorten.ts';
import { isJournal, type LineSink, StderrSink } from './stderr.ts';
import { textLine } from './text-line.ts';

/** The fields of a line. `event` is stable, because alerts match on it. Other fields may be added freely. */
export interface LogFields {
  /** Subject and change: `tunnel.state`, `session.lost`. */
  readonly event: string;
  readonly tunnel?: string | undefined;
  /** `actor@host`. */
  readonly link?: string | undefined;
  /** Anything thrown: logged as code, message, hint and causes, with a stack only for bugs. */
  readonly err?: unknown;
  readonly [field: string]: unknown;
}

type Write = (fields: LogFields, message: string) => void;

/** Structured log: one line per transition. */
export interface Logger {
  readonly trace: Write;
  readonly debug: Write;
  readonly info: Write;
  readonly warn: Write;
  readonly error: Write;
  readonly fatal: Write;
  /** A logger that adds `fields` to every line. Later changes of the level apply to it. */
  child(fields: Readonly<Record<string, unknown>>): Logger;
}

/** The logger of the daemon, the only one that can change level and format. */
export interface RootLogger extends Logger {
  /** Changes the level of this logger and all children (reload). */
  setLevel(level: LogLevel): void;
  /** Changes the format of all further lines (reload). */
  setFormat(format: LogFormat): void;
}

export interface LoggerOptions {
  readonly level: LogLevel;
  /** Default `json`. */
  readonly format?: LogFormat;
  /** The sink that replaces standard error. */
  readonly stream?: LineSink;
  /** Whether lines have a journald priority. Default: yes if standard error is the journal and `stream` is not set. */
  readonly journal?: boolean;
  /** Whether a person reads the lines on a terminal. Default: yes if standard error is one and `stream` is not set. */
  readonly terminal?: boolean;
}

/** Below the atomic write of a pipe (4096) and the field limit of journald, including the priority prefix. */
const MAX_LINE_BYTES = 4_000;

/** syslog(3) priorities, as sd-daemon(3) prefixes. */
const PRIORITY: Record<Level, number> = { trace: 7, debug: 7, info: 6, warn: 4, error: 3, fatal: 2 };

const LEVELS: readonly Level[] = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'];

/**
 * Makes the only root logger: NDJSON on standard error, with journald priorities if standard error is the journal, or text
 * for people.
 */
export function createLogger(options: LoggerOptions): RootLogger {
  const sink = options.stream ?? new StderrSink();
  const { JOURNAL_STREAM } = process.env;
  const journal = options.journal ?? (options.stream === undefined && isJournal(JOURNAL_STREAM));
  const terminal = options.terminal ?? (options.stream === undefined && isatty(2));
  const colour = terminal && !wantsNoColour(process.env);
  let format = options.format ?? 'json';
  let threshold = LEVELS.indexOf(options.level);
  let priority = PRIORITY.info;

  const lines = pino(
    {
      level: 'trace',
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      // errorFields has done this already. The serializer of pino would find no Error and add an empty stack.
      serializers: { err: (fields: unknown) => fields },
      formatters: { level: (label) => ({ level: label }) },
    },
    {
      write: (json: string) => {
        const isText = format === 'text' || (format === 'auto' && terminal);
        const line = isText ? textLine(json, colour) : visible(json);
        sink.write(journal ? `<${priority}>${line}` : line);
      },
    },
  );

  // The threshold is ours: a pino child keeps its initial level, but a reload must change the level of all children.
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
    setFormat: (changed) => {
      format = changed;
    },
  };
}

/** A log line must never make the daemon fail. An unreadable field drops the fields, not the line. */
function lineOf(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { event, msg, err } = fields;
  try {
    return shorten(err === undefined ? fields : { ...fields, err: errorFields(err) }, MAX_LINE_BYTES);
  } catch {
    return { event, msg, unreadable: true };
  }
}
