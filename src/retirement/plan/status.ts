import type { PlanStatus } from '../../telemetry/status/status.ts';
import { asOf } from './as-of.ts';
import { isWaveComplete } from './progress.ts';
import type { WatchedPlan } from './watch.ts';

/** The plan's part of the snapshot. */
export function planStatus(watched: WatchedPlan | undefined, now: Date): PlanStatus | null {
  if (watched === undefined) return null;
  const { path, loadedAt, lastLoad } = watched;
  const plan = watched.plan && asOf(watched.plan, now);
  return {
    path,
    sha256: plan?.sha256 ?? null,
    loaded_at: loadedAt ?? null,
    last_load: { ok: lastLoad.ok, at: lastLoad.at, error: lastLoad.error },
    waves: (plan?.waves ?? []).map(({ id, title }) => ({
      id,
      title,
      complete: plan !== undefined && isWaveComplete(plan, id),
    })),
  };
}
