import { printable } from '../../base/text/printable.ts';
import type { ErrorFields } from './error-fields.ts';

/** The fields of a line that the text names by itself. Every other field is appended. */
interface Line {
  readonly level: string;
  readonly time: string;
  readonly event: string;
  readonly msg: string;
  readonly tunnel?: string;
  readonly link?: string;
  readonly err?: ErrorFields;
}

/** ANSI colours of the levels. */
const COLOURS: Readonly<Record<string, number>> = { trace: 2, debug: 2, info: 32, warn: 33, error: 31, fatal: 31 };
const DIM = 2;
/** The levels that keep a stack: a bug is worth more than one line. */
const WITH_STACK = new Set(['error', 'fatal']);
const EVENT_WIDTH = 22;
const SUBJECT_WIDTH = 16;

/**
 * A log line for a person at a terminal: local time, level, event, subject, message, further fields. One line, except for
 * the stack of a bug.
 *
 * @param json one line of the log, as JSON
 */
export function textLine(json: string, colour: boolean): string {
  const { level, time, event, msg, tunnel, link, err, ...more }: Line = JSON.parse(json);
  const paint = (code: number | undefined, text: string) =>
    colour && code !== undefined && text !== '' ? `\x1b[${code}m${text}\x1b[0m` : text;
  /** Most messages end with the reason, and a transition names both states: a person reads nothing twice. */
  const isUntold = ([, value]: [string, unknown]) =>
    value !== null && value !== undefined && !(typeof value === 'string' && msg.includes(value));
  const line = [
    new Date(time).toTimeString().slice(0, 8),
    paint(COLOURS[level], level.padEnd(5)),
    paint(DIM, printable(event).padEnd(EVENT_WIDTH)),
    printable(tunnel ?? link ?? '').padEnd(SUBJECT_WIDTH),
    printable(msg),
    paint(DIM, [...errorParts(err), ...Object.entries(more)].filter(isUntold).map(keyValue).join(' ')),
  ].join(' ');
  const stack = WITH_STACK.has(level) ? err?.stack : undefined;
  return `${line.trimEnd()}\n${stack === undefined ? '' : indented(stack)}`;
}

function errorParts({ code, message, hint }: Partial<ErrorFields> = {}): [string, unknown][] {
  return Object.entries({ code, reason: message, hint });
}

function keyValue([key, value]: readonly [string, unknown]): string {
  const text = printable(typeof value === 'string' ? value : (JSON.stringify(value, rounded) ?? ''));
  return `${key}=${/^[^\s"=]+$/.test(text) ? text : JSON.stringify(text)}`;
}

/** Times are measured to the nanosecond, which nobody reads. */
function rounded(_key: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value;
}

function indented(stack: string): string {
  return stack
    .split('\n')
    .map((line) => `    ${printable(line.trim())}\n`)
    .join('');
}
