import { visible } from '../../base/text/printable.ts';

/** Limits for strings, lists and nesting, from generous to tight. */
interface Measure {
  readonly text: number;
  readonly items: number;
  readonly depth: number;
}

const MEASURES: readonly Measure[] = [
  { text: 2_000, items: 50, depth: 6 },
  { text: 400, items: 20, depth: 4 },
  { text: 120, items: 10, depth: 3 },
  { text: 40, items: 6, depth: 2 },
  { text: 20, items: 4, depth: 1 },
];

/** Reserved for the fields of the logger (`time`, `level`), the journald prefix and the newline. */
const OVERHEAD_BYTES = 100;

/**
 * Cuts the fields of a log line so that the line is at most `maxBytes` long and valid JSON. journald splits longer
 * lines and gives the tail another priority; `journalctl -o json` shows long fields as null.
 */
export function shorten(fields: Readonly<Record<string, unknown>>, maxBytes: number): Record<string, unknown> {
  for (const measure of MEASURES) {
    const cut = cutObject(fields, measure, 0);
    if (Buffer.byteLength(visible(JSON.stringify(cut))) + OVERHEAD_BYTES <= maxBytes) return cut;
  }
  const { event, msg } = fields;
  return { event: cutText(String(event), 100), msg: cutText(String(msg), 400), shortened: true };
}

function cutObject(value: object, measure: Measure, depth: number): Record<string, unknown> {
  const entries = Object.entries(value).filter(([, field]) => field !== undefined && typeof field !== 'function');
  // The outermost fields are named in code, not by input. They are few, and all are kept.
  const kept = depth === 0 ? entries : entries.slice(0, measure.items);
  return Object.fromEntries(kept.map(([key, field]) => [cutText(key, measure.text), cutValue(field, measure, depth)]));
}

function cutValue(value: unknown, measure: Measure, depth: number): unknown {
  if (typeof value === 'string') return cutText(value, measure.text);
  if (typeof value === 'bigint' || typeof value === 'symbol') return String(value);
  if (value === null || typeof value !== 'object') return value;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (value instanceof Uint8Array) return `[${value.byteLength} bytes]`;
  if (depth >= measure.depth) return Array.isArray(value) ? `[${value.length} items]` : '[object]';
  if (!Array.isArray(value)) return cutObject(value, measure, depth + 1);
  const kept: unknown[] = value.slice(0, measure.items).map((item) => cutValue(item, measure, depth + 1));
  return value.length > kept.length ? [...kept, `[${value.length - kept.length} more]`] : kept;
}

function cutText(text: string, limit: number): string {
  return text.length <= limit ? text : `${text.slice(0, limit)}… (${text.length - limit} more)`;
}
