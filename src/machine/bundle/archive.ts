import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createNew, fill } from '../../base/files/write-atomically.ts';
import { runBounded } from '../../base/process/run-bounded.ts';

const TAR_MS = 30_000;
const OUTPUT_BYTES = 64 * 1024;

/**
 * Packs files into a new .tar.gz (0600), in a directory of this name. Uses tar of the system. Rejects with `EEXIST` if
 * `path` exists, and with the reason if tar fails.
 */
export async function writeArchive(
  path: string,
  directory: string,
  files: ReadonlyMap<string, string>,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<void> {
  const temporary = await mkdtemp(join(tmpdir(), 'fleet-mesh-bundle-'));
  try {
    const inside = join(temporary, directory);
    await mkdir(inside, { mode: 0o700 });
    for (const [name, text] of files) await writeFile(join(inside, name), text, { mode: 0o600 });
    const packed = join(temporary, 'packed.tar.gz');
    const argv = ['tar', '--owner=0', '--group=0', '-czf', packed, '-C', temporary, directory];
    const limits = { timeoutMs: TAR_MS, stdoutLimit: OUTPUT_BYTES, stderrLimit: OUTPUT_BYTES };
    const outcome = await runBounded({ argv, env, ...limits }, signal);
    if (outcome.kind === 'not_started') throw new Error(`tar cannot be run: ${outcome.error.message}`);
    if (outcome.kind !== 'exited' || outcome.code !== 0) throw new Error(`tar failed: ${outcome.stderr.toString()}`);
    const file = await createNew(path);
    try {
      await fill(file, await readFile(packed), 0o600);
    } finally {
      await file.close();
    }
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}
