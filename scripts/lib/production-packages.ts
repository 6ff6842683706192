import { z } from 'zod';

const lockSchema = z.object({
  packages: z.record(
    z.string(),
    z.object({
      version: z.string().optional(),
      dev: z.boolean().optional(),
      optional: z.boolean().optional(),
      devOptional: z.boolean().optional(),
    }),
  ),
});

export interface ProductionPackage {
  /** Path in the checkout: node_modules/… */
  readonly path: string;
  readonly version: string;
  /** The program also works without this package. */
  readonly optional: boolean;
}

/** The packages that the program needs at run time, from the text of package-lock.json. Pure. */
export function productionPackages(lock: string): ProductionPackage[] {
  const { packages } = lockSchema.parse(JSON.parse(lock));
  return Object.entries(packages)
    .filter(([path, { dev, devOptional }]) => path !== '' && !dev && !devOptional)
    .map(([path, { version = '', optional = false }]) => ({ path, version, optional }));
}
