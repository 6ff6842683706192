import { z } from 'zod';
import { refusal } from '../../base/refusal.ts';

/**
 * What goes over the control socket: one line of JSON with a request, one with its reply, and the connection ends. Empty
 * lines before the reply say that the daemon is still at it, {@link progress} how far it is. Additive: a daemon refuses a command that it does not know by
 * name, and a client ignores fields that it does not know.
 */
export const request = z.discriminatedUnion('command', [
  z.object({ command: z.literal('reload') }),
  z.object({ command: z.literal('up'), names: z.array(z.string()).min(1) }),
  z.object({ command: z.literal('down'), names: z.array(z.string()).min(1) }),
  z.object({ command: z.literal('rotate'), actor: z.string() }),
  z.object({
    command: z.literal('retire'),
    name: z.string(),
    dry_run: z.boolean(),
    overrides: z.array(z.object({ code: z.string(), reason: z.string() })),
  }),
  z.object({ command: z.literal('cutover'), name: z.string(), dry_run: z.boolean() }),
  z.object({ command: z.literal('rollback'), name: z.string() }),
]);
export type ControlRequest = z.infer<typeof request>;

/** What became of a reload; `changes` is one line for people. */
export const reloadResult = z.object({ changes: z.string() });

/** The tunnels that were named, as they are now. */
export const tunnelsResult = z.object({
  tunnels: z.array(
    z.object({ name: z.string(), state: z.string(), reason: z.string().nullable(), open: z.int().nonnegative() }),
  ),
});
export type TunnelsResult = z.infer<typeof tunnelsResult>;

/** What became of a rotation; `outcome` is one line for people. */
export const rotateResult = z.object({ outcome: z.string() });

/** What became of a retirement, or would become of it. */
export const retireResult = z.object({
  tunnel: z.string(),
  /** Whether it is retired now. */
  done: z.boolean(),
  /** Null where there was nothing left to judge. */
  verdict: z.string().nullable(),
  /** What keeps it from being retired, overrides taken into account. */
  left: z.array(z.object({ code: z.string(), message: z.string(), clears_when: z.string() })),
  overridden: z.array(z.object({ code: z.string(), reason: z.string() })),
  /** What was done, or would be, in words. */
  steps: z.array(z.string()),
});
export type RetireResult = z.infer<typeof retireResult>;

/** What a cut-over, its rehearsal or the way back came to. */
export const cutoverResult = z.object({
  /** `possible`: of a rehearsal to which nothing was against; `unchanged`: it was so already. */
  outcome: z.enum(['committed', 'blocked', 'rolled_back', 'unchanged', 'possible']),
  reason: z.string().nullable(),
  /** What is done, in words: of a rehearsal only. */
  steps: z.array(z.string()),
  checks: z.array(z.object({ name: z.string(), ok: z.boolean(), message: z.string(), details: z.array(z.string()) })),
});
export type CutoverResult = z.infer<typeof cutoverResult>;

/** A line before the reply to a command that takes its time: how far it is, in words. */
export const progress = z.object({ progress: z.string() });

export const reply = z.union([
  z.object({ ok: z.literal(true), result: z.unknown() }),
  z.object({ ok: z.literal(false), error: refusal }),
]);
export type ControlReply = z.infer<typeof reply>;
