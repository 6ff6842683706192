import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, copyFile, cp, lstat, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { z } from 'zod';
import { isShipped, productionPackages } from './production-packages.ts';

const manifestSchema = z.object({ version: z.string() });

/** Whole, as they are in the checkout. */
const WHOLE = ['dist', 'systemd', 'package.json', 'LICENSE'];
const EXAMPLE = 'config/example-tunnels.yaml';

/** Packs the built program of a checkout into an empty directory. Returns what the release is called. */
export async function packRelease(checkout: string, tree: string): Promise<string> {
  for (const name of WHOLE) {
    const filter = (source: string) => !source.endsWith('/.built-from');
    await cp(join(checkout, name), join(tree, name), { recursive: true, filter });
  }
  await mkdir(join(tree, dirname(EXAMPLE)));
  await copyFile(join(checkout, EXAMPLE), join(tree, EXAMPLE));
  for (const path of productionPackages(await readFile(join(checkout, 'package-lock.json'), 'utf8'))) {
    const from = join(checkout, path);
    // An optional one that could not be installed here.
    if (!existsSync(from)) continue;
    await cp(from, join(tree, path), {
      recursive: true,
      dereference: true,
      filter: (source) => source === from || isShipped(relative(from, source)),
    });
  }
  const { version } = manifestSchema.parse(JSON.parse(await readFile(join(tree, 'package.json'), 'utf8')));
  const id = `${version}-${await digestOf(tree)}`;
  await writeFile(join(tree, 'release.json'), `${JSON.stringify({ id })}\n`);
  return id;
}

/** Of names, contents and who may execute them, and of nothing else: the same checkout gives the same. Opens it to readers. */
async function digestOf(tree: string): Promise<string> {
  const hash = createHash('sha256');
  const walk = async (directory: string): Promise<void> => {
    await chmod(directory, 0o755);
    for (const name of (await readdir(directory)).sort()) {
      const path = join(directory, name);
      const stats = await lstat(path);
      if (stats.isDirectory()) {
        await walk(path);
        continue;
      }
      const mode = (stats.mode & 0o100) === 0 ? 0o644 : 0o755;
      await chmod(path, mode);
      const bytes = await readFile(path);
      hash.update(`${relative(tree, path)}\0${mode}\0${bytes.length}\0`).update(bytes);
    }
  };
  await walk(tree);
  return hash.digest('hex').slice(0, 12);
}
