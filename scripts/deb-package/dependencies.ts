import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BUNDLED_PACKAGES } from '../lib/bundled-packages.ts';
import { productionPackages } from '../lib/production-packages.ts';

export interface Dependency {
  /** Path in the checkout and in the package: node_modules/… */
  readonly path: string;
  readonly name: string;
  readonly version: string;
  /** SPDX expression. */
  readonly license: string;
  readonly author: string | undefined;
  readonly homepage: string | undefined;
}

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license?: string;
  readonly licenses?: readonly { readonly type: string }[];
  readonly author?: string | { readonly name: string };
  readonly homepage?: string;
}

/**
 * The installed packages that the program needs at run time, by the lock file. Uses no network. Without optional packages:
 * they are compiled for one machine, and the program works without them.
 * Throws if an installed version differs from the lock file.
 */
export function productionDependencies(checkout: string): Dependency[] {
  return productionPackages(readFileSync(join(checkout, 'package-lock.json'), 'utf8'))
    .filter(({ optional }) => !optional)
    .map(({ path, version }) => installed(checkout, path, version))
    .sort((one, other) => (one.path < other.path ? -1 : 1));
}

/** The libraries inside the status page, as installed. Throws if one is missing. */
export function bundledDependencies(checkout: string): Dependency[] {
  return BUNDLED_PACKAGES.map((name) => {
    const path = `node_modules/${name}`;
    const file = join(checkout, path, 'package.json');
    if (!existsSync(file)) throw new Error(`${path} is missing: run npm ci`);
    return installed(checkout, path, readJson<Manifest>(file).version);
  });
}

function installed(checkout: string, path: string, wanted: string): Dependency {
  const file = join(checkout, path, 'package.json');
  const manifest = existsSync(file) ? readJson<Manifest>(file) : undefined;
  if (manifest?.version !== wanted) {
    throw new Error(`${path} is ${manifest?.version ?? 'missing'}, package-lock.json says ${wanted}: run npm ci`);
  }
  const { name, author, homepage } = manifest;
  const license = manifest.license ?? manifest.licenses?.[0]?.type;
  if (license === undefined) throw new Error(`${path}/package.json names no licence`);
  return { path, name, version: wanted, license, author: typeof author === 'object' ? author.name : author, homepage };
}

function readJson<T>(file: string): T {
  return JSON.parse(readFileSync(file, 'utf8')) as T;
}
