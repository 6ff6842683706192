import type { z } from 'zod';
import type { planSchema } from './schema.ts';

type Parsed = z.infer<typeof planSchema>;

/** A drain plan that passed all checks of its file. Immutable. */
export type Plan = Readonly<Omit<Parsed, 'version'>> & {
  /** Absolute path of the file. */
  readonly path: string;
  /** SHA-256 of the file's bytes, hex. */
  readonly sha256: string;
};

export type Gate = Parsed['gates'][number];
export type Wave = Parsed['waves'][number];
export type Step = Wave['steps'][number];
export type Workload = Parsed['workloads'][number];
export type PlanException = Parsed['exceptions'][number];

/** Whether a workload moves in this wave. */
export function movesIn({ wave }: { readonly wave?: Workload['wave'] | null }, id: number): boolean {
  if (typeof wave !== 'string') return wave === id;
  const [first = 0, last = 0] = wave.split('-').map(Number);
  return first <= id && id <= last;
}
