import { z } from 'zod';
import { printable } from '../../base/text/printable.ts';
import type { Period } from '../evidence/watch.ts';

/** Why it is not proven. Public: in the JSON of `fleet-mesh acceptance`. */
const REASON_CODES = [
  'no_evidence',
  'evidence_damaged',
  'evidence_end_unknown',
  'evidence_too_old',
  'observation_gap',
  'outage',
  'unverified',
  'no_production',
  'production_changed',
  'routes_unknown',
  'workstation_route',
  'plan_unusable',
  'plan_route',
  'host_seen',
  'host_unknown',
  'host_unchecked',
  'host_not_watched',
  'host_address_changed',
] as const;

const time = z.iso.datetime();

const reason = z.object({
  code: z.enum(REASON_CODES),
  /** One sentence, with its times. */
  message: z.string(),
  from: time.nullable(),
  until: time.nullable(),
});
export type Reason = z.infer<typeof reason>;

const period = z.object({ from: time, until: time });

/** What is said of one production tunnel over the window. */
const tunnelRecord = z.object({
  name: z.string(),
  /** Share of the window in which clients were known to be served, from 0 to 1; rounded down. */
  availability: z.number(),
  outages: z.int(),
  /** Null where there was none. */
  longest_outage: period.extend({ ms: z.int() }).nullable(),
  /** When nobody watched. */
  gaps: z.array(period),
  way: z.array(z.string()),
  target: z.string().nullable(),
});
export type TunnelRecord = z.infer<typeof tunnelRecord>;

/** What is said of the host that was to be away. */
const hostRecord = z.object({
  name: z.string(),
  /** Where it was looked for. */
  addresses: z.array(z.string()),
  unreachable_throughout: z.boolean(),
  /** Looks within the window. */
  checks: z.int(),
  longest_pause_ms: z.int().nullable(),
  /** Codes of what was found within the window, such as connect_timeout. */
  codes: z.array(z.string()),
  /** The last time that the evidence has it reachable before the window; null: it never does. */
  last_seen_before: time.nullable(),
});
export type HostRecord = z.infer<typeof hostRecord>;

export const judgement = z.object({
  verdict: z.enum(['PASS', 'FAIL']),
  /** None for a PASS. */
  reasons: z.array(reason),
  /** What a reader should know of a PASS as of a FAIL. */
  remarks: z.array(z.string()),
  tunnels: z.array(tunnelRecord),
  host: hostRecord,
});
export type Judgement = z.infer<typeof judgement>;

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
