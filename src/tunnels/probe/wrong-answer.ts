import { TunnelError } from '../../base/errors.ts';

/** Characters of somebody else's text that a message quotes: a reason is one sentence. */
export const QUOTED_LIMIT = 80;

/** The target is there and does not do what the probe expects of it: of the public codes, `target_unreachable` is next. */
export function wrongAnswer(message: string, cause?: unknown): TunnelError {
  return new TunnelError('target_unreachable', message, {
    cause,
    hint: "The target is reached, but does not answer as the probe expects: look into the service's log.",
  });
}
