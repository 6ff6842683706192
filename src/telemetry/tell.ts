import type { TunnelError } from '../base/errors.ts';
import type { Happening, TakeNote } from './happening.ts';
import type { Logger } from './log/log.ts';

type TellLevel = 'debug' | 'info' | 'warn' | 'error';

/**
 * An event for log and evidence. The log gets all of `err`; the evidence gets its `code`, and its message as `reason`.
 */
type Told = Happening & { readonly err?: TunnelError | undefined };

/**
 * Writes one event to the log and to the evidence, with the same fields. `debug` is for repetitions, which only the log
 * gets. `at` is the time of the event, now by default. Never throws.
 */
export type Tell = (happening: Told, message: string, level?: TellLevel, at?: Date) => void;

/** Makes a {@link Tell}, the only place that writes to log and evidence together. */
export function teller(log: Pick<Logger, TellLevel>, note: TakeNote): Tell {
  return (happening, message, level = 'info', at) => {
    const { err, ...fields } = happening;
    log[level](err ? { ...fields, err } : fields, message);
    if (level !== 'debug') note(err ? { ...fields, code: err.code, reason: err.message } : fields, at);
  };
}
