import { createHash } from 'node:crypto';
import { z } from 'zod';

/** The `prev` of the very first line. */
export const GENESIS = '0'.repeat(64);

/** What every line of `events.jsonl` carries besides what it tells. */
const entry = z.looseObject({
  /** Counts the lines over all files, from 1. */
  seq: z.int().min(1),
  /** RFC 3339, UTC. */
  at: z.iso.datetime(),
  /** Milliseconds since the daemon that wrote it started, off a clock that never jumps. */
  uptime_ms: z.int().min(0),
  event: z.string().min(1),
  /** SHA-256, in hex, of the line before without its newline. */
  prev: z.string().regex(/^[0-9a-f]{64}$/),
});

/** One line of the evidence log as it was read. What it tells beside the envelope is read by the schemas in events.ts. */
export type Entry = z.infer<typeof entry>;

/** What is to be written: everything but what the log itself adds. */
export interface NewEntry {
  readonly at: Date;
  readonly uptimeMs: number;
  readonly event: string;
  readonly [field: string]: unknown;
}

/** The hash that the next line carries. `line` is without its newline. */
export function hashLine(line: string | Buffer): string {
  return createHash('sha256').update(line).digest('hex');
}

/** As it is written: one line of JSON. */
export function chainEntry(content: NewEntry, seq: number, prev: string): Entry {
  const { at, uptimeMs, event, ...fields } = content;
  return { seq, at: at.toISOString(), uptime_ms: Math.round(uptimeMs), event, ...fields, prev };
}

/** Undefined for what is no whole line of this log. */
export function parseEntry(line: string): Entry | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  const parsed = entry.safeParse(value);
  return parsed.success ? parsed.data : undefined;
}

/** What `GET /events` answers. */
export const eventsAnswer = z.object({
  schema: z.literal(1),
  now: z.iso.datetime(),
  /** Whether these are all that there were since the time that was asked for; older ones are in the files. */
  complete: z.boolean(),
  /** The last entry on the disk; null while the log is not open. */
  head: z.object({ seq: z.int(), hash: z.string() }).nullable(),
  /** Oldest first, as they are in the log. */
  events: z.array(entry),
});
export type EventsAnswer = z.infer<typeof eventsAnswer>;
