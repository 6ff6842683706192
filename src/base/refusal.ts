import { z } from 'zod';
import type { ErrorCode } from './errors.ts';
import { unknownNames } from './text/unknown-name.ts';

/** Why a command was not carried out. */
export const refusal = z.object({
  /** Stable: one of {@link RefusalCode}, or an error code (base/errors.ts). */
  code: z.string(),
  message: z.string(),
  hint: z.string(),
  /** One line per reason, if the message only summarises several reasons. */
  details: z.array(z.string()),
});
export type Refusal = z.infer<typeof refusal>;

/** Codes of the control socket itself. `bad_request` and `too_large` are mistakes of the calling program. */
export type RefusalCode =
  | 'bad_request'
  | 'too_large'
  | 'request_timeout'
  | 'unknown_command'
  | 'not_ready'
  | 'unknown_tunnel'
  | 'unknown_actor'
  | 'config_invalid'
  | 'reload_failed'
  | 'not_retirable'
  | 'verdict_unknown'
  /** The command was not carried out, and a later attempt fails too until somebody fixes the cause. */
  | 'needs_somebody'
  | 'cannot_override'
  | 'cutover_impossible'
  | 'plan_not_in_force'
  | 'evidence_unwritten'
  | 'internal';

/** The refusal of a command, with message and hint. */
export class ControlRefused extends Error {
  override readonly name = 'ControlRefused';
  readonly code: string;
  readonly hint: string;
  readonly details: readonly string[];

  constructor(code: RefusalCode | ErrorCode, message: string, options: { hint: string; details?: readonly string[] }) {
    super(message);
    this.code = code;
    this.hint = options.hint;
    this.details = options.details ?? [];
  }

  report(): Refusal {
    return { code: this.code, message: this.message, hint: this.hint, details: [...this.details] };
  }
}

export function unknownTunnels(names: readonly string[], known: readonly string[]): ControlRefused {
  return unknown('unknown_tunnel', 'tunnel', names, known);
}

export function unknownActor(name: string, known: readonly string[]): ControlRefused {
  return unknown('unknown_actor', 'actor', [name], known);
}

function unknown(
  code: 'unknown_tunnel' | 'unknown_actor',
  kind: string,
  names: readonly string[],
  known: readonly string[],
): ControlRefused {
  const { sentence, guess } = unknownNames(kind, names, known);
  return new ControlRefused(code, `${sentence}; nothing was changed`, {
    hint: `${guess}The configuration in force has ${known.join(', ') || `no ${kind}`}.`,
  });
}
