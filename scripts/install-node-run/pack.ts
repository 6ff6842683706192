import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { z } from 'zod';
import { productionPackages } from '../lib/production-packages.ts';
import { isShipped } from './shipped.ts';

const manifestSchema = z.object({ version: z.string() });

/** Copied completely. */
const WHOLE = ['dist', 'systemd', 'package.json', 'LICENSE'];
const EXAMPLE = 'config/example-tunnels.yaml';

/** Packs the built program of a checkout into an empty directory. Returns the id of the release. */
export function packRelease(checkout: string, tree: string): string {
  for (const name of WHOLE) {
    const filter = (source: string) => !source.endsWith('/.built-from');
    cpSync(join(checkout, name), join(tree, name), { recursive: true, filter });
  }
  // The compiler does not make the file executable.
  chmodSync(join(tree, 'dist/cli.js'), 0o755);
  mkdirSync(join(tree, dirname(EXAMPLE)));
  copyFileSync(join(checkout, EXAMPLE), join(tree, EXAMPLE));
  for (const { path } of productionPackages(readFileSync(join(checkout, 'package-lock.json'), 'utf8'))) {
    const from = join(checkout, path);
    // An optional package that could not be installed here.
    if (!existsSync(from)) continue;
    cpSync(from, join(tree, path), {
      recursive: true,
      dereference: true,
      filter: (source) => source === from || isShipped(relative(from, source)),
    });
  }
  const { version } = manifestSchema.parse(JSON.parse(readFileSync(join(tree, 'package.json'), 'utf8')));
  const id = `${version}-${digestOf(tree)}`;
  writeFileSync(join(tree, 'release.json'), `${JSON.stringify({ id })}\n`);
  return id;
}

/** Hashes names, contents and executable bits only: equal checkouts give equal ids. Makes all files readable. */
function digestOf(tree: string): string {
  const hash = createHash('sha256');
  const walk = (directory: string): void => {
    chmodSync(directory, 0o755);
    for (const name of readdirSync(directory).sort()) {
      const path = join(directory, name);
      const stats = statSync(path);
      if (stats.isDirectory()) {
        walk(path);
        continue;
      }
      const mode = (stats.mode & 0o100) === 0 ? 0o644 : 0o755;
      chmodSync(path, mode);
      const bytes = readFileSync(path);
      hash.update(`${relative(tree, path)}\0${mode}\0${bytes.length}\0`).update(bytes);
    }
  };
  walk(tree);
  return hash.digest('hex').slice(0, 12);
}
