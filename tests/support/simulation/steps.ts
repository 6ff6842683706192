import { seededRandom } from '../../../scripts/chaos-run/random.ts';
import { DISK_FAULTS, type DiskFault } from './disk.ts';
import { LATER_VARIANTS, type SUCCESSORS, VARIANTS, type Variant } from './fleet.ts';
import type { Health } from './network.ts';
import { STATE_FILES, type StateFileName, TAMPERINGS, type Tampering } from './tamper.ts';

/** One thing that happens to the daemon. */
export type Deed =
  | { readonly do: 'client'; readonly staysMs: number; readonly talks: boolean }
  | { readonly do: 'link'; readonly up: boolean }
  | { readonly do: 'health'; readonly of: keyof typeof SUCCESSORS; readonly health: Health }
  | { readonly do: 'retire' | 'rollback' | 'cutover' | 'up' | 'down' | 'rotate' }
  | { readonly do: 'reload'; readonly variant: Variant }
  | { readonly do: 'plan'; readonly part: 'approved' | 'done' | 'valid'; readonly to: boolean }
  | {
      readonly do: 'restart';
      readonly how: Restart;
      readonly downMs: number;
      /** What somebody else does to the files while no daemon runs. */
      readonly meanwhile?: Tampering;
      /** The state file that somebody else removes then. */
      readonly loses?: StateFileName;
    }
  | { readonly do: 'freeze'; readonly ms: number }
  | { readonly do: 'clock' | 'suspend'; readonly ms: number }
  | { readonly do: 'tamper'; readonly how: Tampering }
  | { readonly do: 'lose'; readonly file: StateFileName }
  | { readonly do: 'backup' | 'second daemon' }
  | { readonly do: 'disk'; readonly fault: DiskFault | 'none' };

/** `lost syncs`: a power cut at which the disk also loses writes that it had confirmed. */
export type Restart = 'clean' | 'kill' | 'power cut' | 'lost syncs';

/** A deed, and the time until the next one, in milliseconds. */
export type Step = Deed & { readonly thenMs: number };

const PAUSES_MS = [0, 0, 1, 2, 5, 20, 300, 1_000, 1_000, 4_000, 4_000, 12_000];
const DOWN_MS = [0, 300, 2_000, 8_000, 25_000];
const CLOCK_MS = [-3_600_000, -25_000, -6_000, -2_000, 2_000, 6_000, 25_000, 3_600_000];
const SUSPENDED_MS = [1_500, 6_000, 30_000, 3_600_000];
const RESTARTS: readonly Restart[] = ['clean', 'kill', 'kill', 'kill', 'power cut', 'power cut', 'lost syncs'];
/** Of so many restarts one finds a state file missing. */
const LOSSES = 1 / 5;
/** Share of the reloads with a file, and of the faults with a fault, that was added later. */
const LATER = 1 / 2;
const STAYS_MS = [0, 5, 500, 3_000, 30_000];

/** The tests that look for planted bugs count on the steps of these. */
const EARLY_SEEDS = 100;

/** The steps of a seed. */
export function stepsOf(seed: number): Step[] {
  const steps = withLosses(stepsFrom(seededRandom(seed)), seededRandom(seed ^ 0x10_55));
  if (seed > EARLY_SEEDS && (seed % 8 === 0 || seed % 8 === 6))
    return withLaterFault(steps, seededRandom(seed ^ 0x0ff0));
  return seed % 8 === 1 || seed % 8 === 4 ? withLaterVariants(steps, seededRandom(seed ^ 0x2b0b)) : steps;
}

/** Some reloads bring another file. Other seeds keep their steps: what they have found once, they find again. */
function withLaterVariants(steps: readonly Step[], random: () => number): Step[] {
  return steps.map((step) => {
    if (step.do !== 'reload' || random() > LATER) return step;
    return { ...step, variant: LATER_VARIANTS[Math.floor(random() * LATER_VARIANTS.length)] ?? 'first' };
  });
}

/** Half of the faults of the disk make the disk read-only. Other seeds keep their steps. */
function withLaterFault(steps: readonly Step[], random: () => number): Step[] {
  return steps.map((step) =>
    step.do === 'disk' && step.fault !== 'none' && random() < LATER ? { ...step, fault: 'read-only' } : step,
  );
}

/** At some restarts a state file is missing. The numbers are others, so that a seed keeps its other steps. */
function withLosses(steps: readonly Step[], random: () => number): Step[] {
  return steps.map((step) => {
    if (step.do !== 'restart' || step.meanwhile || random() > LOSSES) return step;
    const loses = STATE_FILES[Math.floor(random() * STATE_FILES.length)] ?? 'retired.json';
    return { ...step, loses };
  });
}

/** The files of the first simulator. */
const EARLIER = VARIANTS.filter((variant) => !LATER_VARIANTS.some((later) => later === variant));

/** Pure: the same numbers give the same steps. */
function stepsFrom(random: () => number): Step[] {
  const one = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)] as T;
  const deeds: readonly (readonly [number, () => Deed])[] = [
    [6, () => ({ do: 'client', staysMs: one(STAYS_MS), talks: random() < 0.5 })],
    [3, () => ({ do: 'link', up: random() < 0.6 })],
    [
      3,
      () => ({
        do: 'health',
        of: one(['first', 'first', 'second']),
        health: one(['healthy', 'healthy', 'refuses', 'silent']),
      }),
    ],
    [7, () => ({ do: 'retire' })],
    [4, () => ({ do: 'rollback' })],
    [7, () => ({ do: 'cutover' })],
    [4, () => ({ do: 'up' })],
    [2, () => ({ do: 'down' })],
    [1, () => ({ do: 'rotate' })],
    [5, () => ({ do: 'reload', variant: random() < 0.5 ? 'first' : one(EARLIER) })],
    [2, () => ({ do: 'plan', part: one(['approved', 'done', 'valid']), to: random() < 0.7 })],
    [5, () => ({ do: 'restart', how: one(RESTARTS), downMs: one(DOWN_MS) })],
    [1, () => ({ do: 'restart', how: one(RESTARTS), downMs: one(DOWN_MS), meanwhile: one(TAMPERINGS) })],
    [1, () => ({ do: 'freeze', ms: one([1_500, 6_000, 30_000, 200_000]) })],
    [3, () => ({ do: 'clock', ms: one(CLOCK_MS) })],
    [1, () => ({ do: 'suspend', ms: one(SUSPENDED_MS) })],
    [2, () => ({ do: 'tamper', how: one(TAMPERINGS) })],
    [1, () => ({ do: 'lose', file: one(STATE_FILES) })],
    [1, () => ({ do: 'backup' })],
    [1, () => ({ do: 'second daemon' })],
    [4, () => ({ do: 'disk', fault: random() < 0.5 ? 'none' : one(DISK_FAULTS) })],
  ];
  const total = deeds.reduce((sum, [weight]) => sum + weight, 0);
  const deed = (): Deed => {
    let at = random() * total;
    for (const [weight, make] of deeds) {
      at -= weight;
      if (at < 0) return make();
    }
    return { do: 'retire' };
  };
  const length = 3 + Math.floor(random() * 20);
  const steps = Array.from({ length }, (): Step => ({ ...deed(), thenMs: one(PAUSES_MS) }));
  return [...opening(random(), one), ...steps];
}

/**
 * Most runs begin where most of the danger is: cut over and nearly quiet, with a changed log while retirable, or with a
 * retirement that a slow disk delays.
 */
function opening(share: number, one: <T>(of: readonly T[]) => T): Step[] {
  if (share < 0.5) return [{ do: 'cutover', thenMs: one([4_000, 9_000, 12_000]) }];
  if (share > 0.65) return [];
  if (share > 0.6)
    return [
      { do: 'cutover', thenMs: 12_000 },
      { do: 'tamper', how: one(TAMPERINGS), thenMs: 8_500 },
    ];
  return [
    { do: 'reload', variant: 'none', thenMs: 12_000 },
    { do: 'disk', fault: 'hangs', thenMs: 0 },
    { do: 'retire', thenMs: one([300, 1_000]) },
    { do: 'client', staysMs: one(STAYS_MS), talks: true, thenMs: one([1_000, 4_000]) },
    { do: 'disk', fault: 'none', thenMs: 1_000 },
  ];
}

/** The step in one line. */
export function describeStep({ thenMs, do: what, ...rest }: Step): string {
  const details = Object.entries(rest).map(([key, value]) => `${key}=${value}`);
  return [what, ...details, `then ${thenMs} ms`].join(' ');
}
