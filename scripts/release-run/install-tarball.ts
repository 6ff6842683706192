import { execFileSync } from 'node:child_process';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { z } from 'zod';

const entry = z.looseObject({ dev: z.boolean().optional(), devOptional: z.boolean().optional() });
const lockSchema = z.looseObject({ packages: z.record(z.string(), entry) });

/**
 * Installs the npm package into an empty directory as a user does, without a compiler and without optional parts. The versions are
 * those of package-lock.json, so npm takes them from the cache that `npm ci` has filled. Returns the path of the program.
 */
export function installTarball(checkout: string, tarball: string, directory: string): string {
  const name = basename(tarball);
  copyFileSync(tarball, join(directory, name));
  const put = (file: string, content: object) => writeFileSync(join(directory, file), JSON.stringify(content));
  const root = { dependencies: { 'fleet-mesh': `file:${name}` } };
  // npm applies overrides only for the package that it installs into.
  put('package.json', { private: true, ...root, overrides: overridesOf(checkout) });
  put('package-lock.json', { lockfileVersion: 3, requires: true, packages: lockFor(checkout, name, root) });
  const args = ['ci', '--ignore-scripts', '--omit=optional', '--prefer-offline', '--no-audit', '--no-fund'];
  execFileSync('npm', [...args, '--loglevel=error'], { cwd: directory, stdio: ['ignore', 'ignore', 'inherit'] });
  return join(directory, 'node_modules/.bin/fleet-mesh');
}

function overridesOf(checkout: string): object {
  const manifest = z.looseObject({ overrides: z.record(z.string(), z.string()).optional() });
  return manifest.parse(JSON.parse(readFileSync(join(checkout, 'package.json'), 'utf8'))).overrides ?? {};
}

function lockFor(checkout: string, tarball: string, root: object): Record<string, object> {
  const { packages } = lockSchema.parse(JSON.parse(readFileSync(join(checkout, 'package-lock.json'), 'utf8')));
  const { devDependencies: _, ...ours } = packages[''] ?? {};
  const production = Object.entries(packages).filter(
    ([path, { dev, devOptional }]) => path !== '' && !dev && !devOptional,
  );
  return {
    '': root,
    'node_modules/fleet-mesh': { ...ours, resolved: `file:${tarball}` },
    ...Object.fromEntries(production),
  };
}
