import { printable } from '../../base/text/printable.ts';
import type { Period } from '../evidence/watch.ts';
import type { Reason } from './judgement.ts';

/** RFC 3339 out of milliseconds since the epoch. */
export function iso(time: number): string {
  return new Date(time).toISOString();
}

/** A reason, whose message names its times. */
export function reasonOf(code: Reason['code'], what: string, period?: Period): Reason {
  const text = printable(what);
  if (!period) return { code, message: text, from: null, until: null };
  const from = iso(period.from);
  const until = iso(period.until);
  return { code, message: from === until ? `${text} (at ${from})` : `${text} (from ${from} to ${until})`, from, until };
}
