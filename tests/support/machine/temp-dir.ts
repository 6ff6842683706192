import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface TempDir extends Disposable {
  readonly path: string;
}

const open = new Set<string>();
let hooked = false;

/** A private directory (0700), removed on disposal, at the latest when this process ends. */
export function tempDir(label: string): TempDir {
  const path = mkdtempSync(join(tmpdir(), `fleet-mesh-${label}-`));
  open.add(path);
  if (!hooked) {
    hooked = true;
    process.on('exit', () => open.forEach(remove));
  }
  return {
    path,
    [Symbol.dispose]() {
      open.delete(path);
      remove(path);
    },
  };
}

function remove(path: string): void {
  rmSync(path, { recursive: true, force: true });
}
