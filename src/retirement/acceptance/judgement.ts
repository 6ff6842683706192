import { z } from 'zod';
import { printable } from '../../base/text/printable.ts';
import type { Period } from '../evidence/watch.ts';

/** Why a proof is missing. Public: in the JSON of `fleet-mesh acceptance`. */
const REASON_CODES = [
  'no_evidence',
  'evidence_damaged',
  'evidence_end_unknown',
  'evidence_too_old',
  'evidence_of_another_node',
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

/** The record of one production tunnel over the window. */
const tunnelRecord = z.object({
  name: z.string(),
  /** Share of the window in which the tunnel was known to serve, from 0 to 1; rounded down. */
  availability: z.number(),
  outages: z.int(),
  /** Null without an outage. */
  longest_outage: period.extend({ ms: z.int() }).nullable(),
  /** Times without watching. */
  gaps: z.array(period),
  way: z.array(z.string()),
  target: z.string().nullable(),
});
export type TunnelRecord = z.infer<typeof tunnelRecord>;

/** The record of the host that should be unreachable. */
const hostRecord = z.object({
  name: z.string(),
  /** The checked addresses. */
  addresses: z.array(z.string()),
  unreachable_throughout: z.boolean(),
  /** Looks within the window. */
  checks: z.int(),
  longest_pause_ms: z.int().nullable(),
  /** Codes of the looks within the window, such as connect_timeout. */
  codes: z.array(z.string()),
  /** When the host was last reachable before the window; null if never. */
  last_seen_before: time.nullable(),
});
export type HostRecord = z.infer<typeof hostRecord>;

export const judgement = z.object({
  verdict: z.enum(['PASS', 'FAIL']),
  /** None for a PASS. */
  reasons: z.array(reason),
  /** Notes that matter for PASS and FAIL. */
  remarks: z.array(z.string()),
  tunnels: z.array(tunnelRecord),
  host: hostRecord,
});
export type Judgement = z.infer<typeof judgement>;

/** Formats milliseconds since the epoch as RFC 3339. */
export function iso(time: number): string {
  return new Date(time).toISOString();
}

/** A reason; its message includes the times. */
export function reasonOf(code: Reason['code'], what: string, period?: Period): Reason {
  const text = printable(what);
  if (!period) return { code, message: text, from: null, until: null };
  const from = iso(period.from);
  const until = iso(period.until);
  return { code, message: from === until ? `${text} (at ${from})` : `${text} (from ${from} to ${until})`, from, until };
}
