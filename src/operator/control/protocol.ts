import { z } from 'zod';
import { refusal } from '../../base/refusal.ts';

/**
 * The protocol of the control socket: one line of JSON with a request, one line with the reply, then the connection
 * ends. Empty lines before the reply are keepalives; {@link progress} lines report progress. Additive: a daemon
 * refuses unknown commands by name, and a client ignores unknown fields.
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
  /** A person has written an approval or a completion into the plan file: for the evidence. */
  z.object({
    command: z.literal('plan_edited'),
    kind: z.enum(['approve', 'done']),
    id: z.string(),
    by: z.string().nullable(),
    evidence: z.string(),
    user: z.string(),
    sha256_before: z.string(),
    sha256_after: z.string(),
  }),
  /** An installation has watched a new release: for the evidence. */
  z.object({
    command: z.literal('release_observed'),
    outcome: z.enum(['promoted', 'rolled_back']),
    release: z.string(),
    previous: z.string().nullable(),
    reasons: z.array(z.string()),
    observed_ms: z.int().nonnegative(),
    user: z.string(),
  }),
]);
export type ControlRequest = z.infer<typeof request>;

/** The result of a reload; `changes` is one line of text. */
/** The current state of the named tunnels. */
export const tunnelsResult = z.object({
  tunnels: z.array(
    z.object({ name: z.string(), state: z.string(), reason: z.string().nullable(), open: z.int().nonnegative() }),
  ),
});
export type TunnelsResult = z.infer<typeof tunnelsResult>;

/** The states of a tunnel in service that does not work, or not yet. */
export const FAILING: ReadonlySet<string> = new Set(['down', 'degraded', 'unverified']);

/** The result of a reload, with the tunnels that it moved. */
export const reloadResult = z.object({
  changes: z.string(),
  // An older daemon does not tell.
  tunnels: tunnelsResult.shape.tunnels.default([]),
  /** Names of those among them that stay down until somebody acts. */
  blocked: z.array(z.string()).default([]),
});

/** The result of a rotation; `outcome` is one line of text. */
export const rotateResult = z.object({ outcome: z.string() });

/** The result of a retirement or of its dry run. */
export const retireResult = z.object({
  tunnel: z.string(),
  /** Whether the tunnel is retired now. */
  done: z.boolean(),
  /** Null for a tunnel that was retired before. */
  verdict: z.string().nullable(),
  /** The remaining blockers and unknowns, without the overridden ones. */
  left: z.array(z.object({ code: z.string(), message: z.string(), clears_when: z.string() })),
  overridden: z.array(z.object({ code: z.string(), reason: z.string() })),
  /** The steps that were done, or that a retirement would do. */
  steps: z.array(z.string()),
});
export type RetireResult = z.infer<typeof retireResult>;

/** The result of a cut-over, its dry run or its rollback. */
export const cutoverResult = z.object({
  /** `possible`: a dry run without blockers; `unchanged`: nothing had to change. */
  outcome: z.enum(['committed', 'blocked', 'rolled_back', 'unchanged', 'possible']),
  reason: z.string().nullable(),
  /** The steps of a cut-over; only in a dry run. */
  steps: z.array(z.string()),
  checks: z.array(z.object({ name: z.string(), ok: z.boolean(), message: z.string(), details: z.array(z.string()) })),
});
export type CutoverResult = z.infer<typeof cutoverResult>;

/** What an installation found out about a release. */
export type ReleaseObserved = Omit<Extract<ControlRequest, { command: 'release_observed' }>, 'command'>;

/** The result of a record for the evidence: `seq` is the last entry of the evidence on the disk. */
export const recordedResult = z.object({ seq: z.int() });

/** A progress line before the reply of a long command. */
export const progress = z.object({ progress: z.string() });

export const reply = z.union([
  z.object({ ok: z.literal(true), result: z.unknown() }),
  z.object({ ok: z.literal(false), error: refusal }),
]);
export type ControlReply = z.infer<typeof reply>;
