import { join } from 'node:path';
import type { Places } from './paths.ts';

/** Where the control socket is: where the file says (made absolute already), else in the runtime directory if there is one. */
export function controlSocket(written: string | undefined, { runtime }: Pick<Places, 'runtime'>): string | undefined {
  return written ?? (runtime && join(runtime, 'control.sock'));
}
