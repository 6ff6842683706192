import { messageOf } from '../base/errors.ts';
import { ConfigError, formatProblem } from '../config/problem.ts';
import type { ReloadOutcome } from '../operator/control/answer.ts';
import type { TakeNote } from '../telemetry/happening.ts';
import type { Logger } from '../telemetry/log/log.ts';

/**
 * A reload of `path` that changes nothing, told to everybody. A typing error is the operator's, not ours: the log names the
 * places, and where all of them are listed.
 */
export function refuseReload(
  error: unknown,
  path: string,
  { log, note }: { readonly log: Logger; readonly note: TakeNote },
): Extract<ReloadOutcome, { ok: false }> {
  const reason = messageOf(error);
  note({ event: 'config.reload_refused', reason });
  const what = 'reload refused, nothing was changed';
  if (!(error instanceof ConfigError)) {
    log.error({ event: 'config.reload_failed', err: error }, `${what}: ${reason}`);
    return { ok: false, error: reason, problems: [], config: path };
  }
  const problems = error.problems.map(formatProblem);
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : '';
  log.error(
    { event: 'config.reload_failed', problems, hint: `Run \`fleet-mesh check --config ${path}\`.` },
    `${what}: ${problems[0]}${more}`,
  );
  return { ok: false, error: reason, problems, config: path };
}
