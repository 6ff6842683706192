import { type Repeating, repeat } from '../base/async/repeat.ts';
import type { Cutovers } from '../retirement/cutover/cutovers.ts';
import type { Retirement } from '../retirement/drain/retirement.ts';
import type { Logger } from '../telemetry/log/log.ts';

/** Pause between two looks at the state files, in milliseconds. */
const EVERY_MS = 10_000;

/** Writes state files again that somebody removed or changed: they would be missed only after a restart. */
export function keepStateFiles(
  retirement: Retirement,
  cutovers: Pick<Cutovers, 'restoreFiles'>,
  log: Logger,
  signal: AbortSignal,
): Repeating {
  const restore = async () => {
    for (const path of [...(await retirement.retired.restoreFile()), ...(await cutovers.restoreFiles())])
      log.warn({ event: 'state.restored', path }, `another process changed or removed ${path}: written again`);
  };
  return repeat(restore, () => EVERY_MS, signal);
}
