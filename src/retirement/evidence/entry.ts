import { hash } from 'node:crypto';
import { z } from 'zod';

/** The `prev` of the very first line. */
export const GENESIS = '0'.repeat(64);

/** The fields of every line of `events.jsonl`. */
const entry = z.looseObject({
  /** Number of the line over all files, from 1. */
  seq: z.int().min(1),
  /** RFC 3339, UTC. */
  at: z.iso.datetime(),
  /** Milliseconds since the start of the daemon, by the monotonic clock. */
  uptime_ms: z.int().min(0),
  event: z.string().min(1),
  /** SHA-256, in hex, of the previous line without its newline. */
  prev: z.string().regex(/^[0-9a-f]{64}$/),
});

/** One line of the evidence log. The schemas in events.ts read its other fields. */
export type Entry = z.infer<typeof entry>;

/** A new entry, without the fields that the log adds. */
export interface NewEntry {
  readonly at: Date;
  readonly uptimeMs: number;
  readonly event: string;
  readonly [field: string]: unknown;
}

/** The hash of a line for the next line. `line` has no newline. */
export function hashLine(line: string | Buffer): string {
  return hash('sha256', line);
}

/** The entry as written, with its place in the chain. */
export function chainEntry(content: NewEntry, seq: number, prev: string): Entry {
  const { at, uptimeMs, event, ...fields } = content;
  return { seq, at: at.toISOString(), uptime_ms: Math.round(uptimeMs), event, ...fields, prev };
}

/** Undefined if the line is not a complete, valid entry. */
export function parseEntry(line: string): Entry | undefined {
  // Before the parser, whose error is slow: a damaged file may have many such lines.
  if (!line.startsWith('{')) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  const parsed = entry.safeParse(value);
  return parsed.success ? parsed.data : undefined;
}

/** The answer of `GET /events`. */
export const eventsAnswer = z.object({
  schema: z.literal(1),
  now: z.iso.datetime(),
  /** Whether these are all events since the requested time; the files contain older ones. */
  complete: z.boolean(),
  /** The last entry on the disk; null while the log is not open. */
  head: z.object({ seq: z.int(), hash: z.string() }).nullable(),
  /** Oldest first, as in the log. */
  events: z.array(entry),
});
export type EventsAnswer = z.infer<typeof eventsAnswer>;
