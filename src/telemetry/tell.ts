import type { TunnelError } from '../base/errors.ts';
import type { Happening, TakeNote } from './happening.ts';
import type { Logger } from './log/log.ts';

type TellLevel = 'debug' | 'info' | 'warn' | 'error';

/** What is told. The log takes `err` whole; the evidence takes its `code`, and its message as `reason`. */
type Told = Happening & { readonly err?: TunnelError | undefined };

/**
 * Tells the log and the evidence of one thing that happened, with the same fields. `debug` is for repetitions: the log has
 * them, the evidence does not. `at` is when it happened, now by default. Never throws.
 */
export type Tell = (happening: Told, message: string, level?: TellLevel, at?: Date) => void;

/** The one place where log and evidence are told together. */
export function teller(log: Pick<Logger, TellLevel>, note: TakeNote): Tell {
  return (happening, message, level = 'info', at) => {
    const { err, ...fields } = happening;
    log[level](err ? { ...fields, err } : fields, message);
    if (level !== 'debug') note(err ? { ...fields, code: err.code, reason: err.message } : fields, at);
  };
}
