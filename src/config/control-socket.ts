import { join } from 'node:path';
import type { Places } from './paths.ts';

/**
 * The path of the control socket: the absolute path from the file, else a path in the runtime directory, else in the
 * state directory.
 */
export function controlSocket(
  written: string | undefined,
  { runtime }: Pick<Places, 'runtime'>,
  stateDir: string,
): string {
  return written ?? join(runtime ?? stateDir, 'control.sock');
}
