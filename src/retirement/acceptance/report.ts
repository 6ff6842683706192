import { z } from 'zod';
import type { AcceptanceFacts } from './facts.ts';
import { judge } from './judge.ts';
import { iso, judgement } from './judgement.ts';
import { inForce } from './routes.ts';

const time = z.iso.datetime();

/** The report of `fleet-mesh acceptance`. */
export const acceptanceReport = judgement.extend({
  schema: z.literal(1),
  node: z.string(),
  /** Version of the program that judged, and of the daemon that watched. */
  version: z.string(),
  daemon_version: z.string().nullable(),
  /** Same evidence and same `as_of` give the same report. */
  as_of: time,
  /** Null without evidence. */
  window: z.object({ from: time, until: time }).nullable(),
  window_ms: z.int(),
  offline: z.string(),
  /** The last counted line: its number, and its SHA-256 without the newline. */
  evidence: z.object({ seq: z.int(), sha256: z.string() }),
  /** The configurations in force over time; null if unknown. */
  configurations: z.array(z.object({ from: time, until: time, sha256: z.string().nullable() })),
  plan: z.object({ path: z.string(), sha256: z.string().nullable() }).nullable(),
});
export type AcceptanceReport = z.infer<typeof acceptanceReport>;

/** Pure. */
export function reportOf(
  facts: AcceptanceFacts,
  { node, version, windowMs }: { readonly node: string; readonly version: string; readonly windowMs: number },
): AcceptanceReport {
  const { window, plan, head, daemonVersion } = facts;
  return {
    schema: 1,
    ...judge(facts),
    node,
    version,
    daemon_version: daemonVersion,
    as_of: iso(facts.now),
    window: window ? { from: iso(window.from), until: iso(window.until) } : null,
    window_ms: windowMs,
    offline: facts.offline,
    evidence: { seq: head.seq, sha256: head.hash },
    configurations: window
      ? inForce(facts.routes, window).map(({ period, routes }) => ({
          from: iso(period.from),
          until: iso(period.until),
          sha256: routes?.config_sha256 ?? null,
        }))
      : [],
    plan: plan.kind === 'none' ? null : { path: plan.path, sha256: plan.kind === 'read' ? plan.sha256 : null },
  };
}
