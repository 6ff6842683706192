import { z } from 'zod';

const lockSchema = z.object({
  packages: z.record(z.string(), z.object({ dev: z.boolean().optional(), devOptional: z.boolean().optional() })),
});

/** Paths (`node_modules/…`) of the packages that the program needs at run time, by package-lock.json. Pure. */
export function productionPackages(lock: string): string[] {
  const { packages } = lockSchema.parse(JSON.parse(lock));
  return Object.entries(packages)
    .filter(([path, { dev, devOptional }]) => path !== '' && !dev && !devOptional)
    .map(([path]) => path);
}

/**
 * Whether a file of a package belongs into the packed program: no other package's, of what was compiled only the result,
 * nothing that is for compilers and debuggers. `path` is relative to the package. Pure.
 */
export function isShipped(path: string): boolean {
  const parts = path.split('/');
  if (parts.includes('node_modules')) return false;
  if (parts.includes('build') && parts.includes('Release')) return path.endsWith('/Release') || path.endsWith('.node');
  return !/^(build\/|deps\/|test\/)|\.([cm]?ts|map|cc|h|gyp)$/.test(path);
}
