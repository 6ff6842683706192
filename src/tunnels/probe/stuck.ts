/** Every probe is bounded in time by itself: one that is late by so much has hung, and what it went through with it. */
const STUCK_MS = 30_000;

/** Why the data path of a tunnel seems to have hung, by how late its probe is; undefined while it makes progress. */
export function stuckProbe(tunnel: string, overdueMs: number): string | undefined {
  if (overdueMs < STUCK_MS) return undefined;
  return `a probe of ${tunnel} should have ended ${Math.round(overdueMs / 1_000)} s ago`;
}
