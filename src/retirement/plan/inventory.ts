import { Document, isScalar, visit } from 'yaml';
import { movesIn } from './plan.ts';
import type { PlanView, WaveView } from './view.ts';

type WorkloadView = PlanView['workloads'][number];

/**
 * The state of a workload on its way, from its written status and the progress of its waves:
 *
 * - `planned`: the workload runs nowhere yet, or the move has not been prepared
 * - `draining`: the workload leaves a frozen host, or ends without a successor
 * - `moving`: the workload is on its way between other places
 * - `active`: the workload is at its target
 * - `retired`: the workload has ended
 */
type LifecycleState = 'planned' | 'draining' | 'moving' | 'active' | 'retired';

/** The placement register, one entry for each workload. The shape is public: changes are additive. */
export interface Inventory {
  readonly schema: 1;
  readonly plan: { readonly path: string; readonly sha256: string };
  readonly services: readonly InventoryEntry[];
}

export interface InventoryEntry {
  readonly id: number;
  readonly workload: string;
  readonly kind: string;
  readonly current: string;
  readonly target: string | null;
  readonly owner: readonly string[];
  readonly wave: number | string | null;
  readonly lifecycle_state: LifecycleState;
  /** As the plan says; `lifecycle_state` also regards the waves. */
  readonly status: string;
  readonly method: string | null;
  /** Incomplete waves that move the workload. */
  readonly open_waves: readonly number[];
}

/** The placement register of a plan; with `wave`, only the workloads that move in this wave. Pure. */
export function inventoryOf(view: PlanView, wave?: number): Inventory {
  return {
    schema: 1,
    plan: { path: view.path, sha256: view.sha256 },
    services: view.workloads
      .filter((workload) => wave === undefined || movesIn(workload, wave))
      .map((workload) => entryOf(workload, view)),
  };
}

function entryOf(workload: WorkloadView, { waves, frozen }: PlanView): InventoryEntry {
  const moving = waves.filter(({ id }) => movesIn(workload, id));
  const { id, name, kind, current, target, owners, wave, status, method } = workload;
  return {
    id,
    workload: name,
    kind,
    current,
    target,
    owner: owners,
    wave,
    lifecycle_state: lifecycleOf(
      workload,
      moving,
      frozen.map(({ host }) => host),
    ),
    status,
    method,
    open_waves: moving.filter(({ complete }) => !complete).map((each) => each.id),
  };
}

function lifecycleOf(
  { status, target, current }: WorkloadView,
  moving: readonly WaveView[],
  frozen: readonly string[],
): LifecycleState {
  const moved = moving.length > 0 && moving.every(({ complete }) => complete);
  const ends = target === 'retired';
  if (status === 'retired' || (moved && ends)) return 'retired';
  if (status === 'on target' || moved) return 'active';
  if (status === 'planned') return 'planned';
  return ends || frozen.some((host) => names(current, host)) ? 'draining' : 'moving';
}

/** Whether a description of a place names the host, such as `coulombcore-k3s default`. */
function names(place: string, host: string): boolean {
  return place.split(/[^A-Za-z0-9.-]+/).some((word) => word === host || word.startsWith(`${host}-`));
}

/** The register as YAML: each entry a block, its lists in one line. Pure. */
export function inventoryYaml(inventory: Inventory): string {
  const document = new Document(inventory);
  visit(document, {
    Seq: (_, list) => {
      list.flow = list.items.every(isScalar);
    },
  });
  return document.toString({ lineWidth: 0, flowCollectionPadding: false });
}
