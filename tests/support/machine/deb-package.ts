import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildPackage } from '../../../scripts/deb-package/build.ts';

export const CHECKOUT = fileURLToPath(new URL('../../..', import.meta.url));

/** 2026-01-01: any constant time works. */
export const EPOCH = 1_767_225_600;

export interface DebOptions {
  readonly revision?: string;
  readonly epoch?: number;
  /** Another version number for the same sources. */
  readonly programVersion?: string;
}

/**
 * Builds the package of this checkout like scripts/build-deb, from the current dist/, with fast compression. Returns
 * the path.
 */
export function buildDeb(directory: string, options: DebOptions = {}): string {
  const { revision = '1', epoch = EPOCH, programVersion } = options;
  const checkout = programVersion === undefined ? CHECKOUT : otherVersion(directory, programVersion);
  return buildPackage({
    checkout,
    out: directory,
    revision,
    epoch,
    maintainer: 'nobody <nobody@localhost.invalid>',
    compression: 'gzip',
  });
}

function otherVersion(directory: string, version: string): string {
  const copy = join(directory, `checkout-${version}`);
  mkdirSync(copy);
  for (const name of readdirSync(CHECKOUT)) {
    if (name !== 'package.json') symlinkSync(join(CHECKOUT, name), join(copy, name));
  }
  const manifest = JSON.parse(readFileSync(join(CHECKOUT, 'package.json'), 'utf8')) as object;
  writeFileSync(join(copy, 'package.json'), JSON.stringify({ ...manifest, version }));
  return copy;
}
