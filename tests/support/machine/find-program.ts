import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

const cache = new Map<string, string | undefined>();

/**
 * Absolute path of a program; undefined if missing. System directories come first: /usr/sbin is often not on PATH, and
 * shims of version managers on PATH are slow and do not forward signals.
 */
export function findProgram(name: string): string | undefined {
  if (!cache.has(name)) {
    const { PATH = '' } = process.env;
    const folders = ['/usr/sbin', '/usr/bin', '/sbin', '/bin', ...PATH.split(delimiter)];
    cache.set(
      name,
      folders.map((folder) => join(folder, name)).find((path) => path.startsWith('/') && isExecutable(path)),
    );
  }
  return cache.get(name);
}

/** The path of a program that a capability check has found already. */
export function requireProgram(name: string): string {
  const path = findProgram(name);
  if (path === undefined) throw new Error(`${name} is not installed`);
  return path;
}

/** The first of these files that exists. */
export function findFile(paths: readonly string[]): string | undefined {
  return paths.find((path) => existsSync(path));
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
