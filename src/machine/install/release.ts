import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Scope } from './places.ts';

/** `release.json` at the root of a packed program. */
const releaseSchema = z.strictObject({
  /** Version and hash of the content: names a directory. */
  id: z.string().regex(/^[0-9A-Za-z][0-9A-Za-z.+-]{0,99}$/),
});

/** A packed program: its id, and those of its files that are installed outside its directory. */
export interface Release {
  readonly id: string;
  /** The packed program's directory. */
  readonly tree: string;
  /** Unit files by name. */
  readonly units: ReadonlyMap<string, string>;
  readonly sysusers: string;
  readonly tmpfiles: string;
  readonly notifyFallback: string;
  readonly restartSteps: string;
  readonly example: string;
}

/** The directory contains no packed program. */
export class NotPacked extends Error {
  override readonly name = 'NotPacked';
}

/** Reads the release unpacked in `tree`; rejects with {@link NotPacked}. */
export async function readRelease(tree: string, scope: Scope): Promise<Release> {
  const text = (path: string) => readFile(join(tree, path), 'utf8');
  const manifest = await text('release.json').catch(() => {
    throw new NotPacked(
      `${tree} is not a packed release: run scripts/install-node, which packs a release and runs this command`,
    );
  });
  const units = join('systemd', scope);
  const names = await readdir(join(tree, units));
  return {
    id: releaseSchema.parse(JSON.parse(manifest)).id,
    tree,
    units: new Map(
      await Promise.all(names.map(async (name): Promise<[string, string]> => [name, await text(join(units, name))])),
    ),
    sysusers: await text('systemd/sysusers.d/fleet-mesh.conf'),
    tmpfiles: await text('systemd/tmpfiles.d/fleet-mesh.conf'),
    notifyFallback: await text('systemd/drop-in/10-notify-fallback.conf'),
    restartSteps: await text('systemd/drop-in/20-restart-steps.conf'),
    example: await text('config/example-tunnels.yaml'),
  };
}
