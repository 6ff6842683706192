import { sleep } from '../../base/async/sleep.ts';
import { printable } from '../../base/text/printable.ts';
import { DURATION_EXPECTED, parseDuration } from '../../config/duration.ts';
import { CommandRefused, ControlUnavailable, command } from '../control/client.ts';
import { type ControlRequest, type RetireResult, retireResult } from '../control/protocol.ts';
import { EXIT, type ExitCode } from './command.ts';
import { type ControlIo, type ControlOptions, exitCodeOf, refuse, socketUnknown, unreachable } from './control.ts';
import { findSocket } from './find-socket.ts';

export interface RetireOptions extends ControlOptions {
  readonly dryRun: boolean;
  /** How long to retry, as written, e.g. `24h`. */
  readonly wait?: string | undefined;
  /** Blocker codes; `reason` has their reasons in the same order. */
  readonly override: readonly string[];
  readonly reason: readonly string[];
}

/** Time between two attempts, in milliseconds. */
const ATTEMPT_MS = 1_000;

/**
 * `fleet-mesh retire NAME`: ends the SSH forward permanently when no blockers remain. With `--wait` the command
 * retries, and stops early if waiting cannot help.
 */
export async function retire(name: string, options: RetireOptions, io: ControlIo): Promise<ExitCode> {
  const waitMs = options.wait === undefined ? 0 : parseDuration(options.wait);
  const mistake = mistakeIn(options, waitMs);
  if (mistake !== undefined || waitMs === undefined) {
    io.err(`fleet-mesh: expected ${mistake}\n`);
    return EXIT.usage;
  }
  const found = await findSocket(options, io.env);
  if ('problem' in found) return socketUnknown(options, io, found.problem);
  const overrides = options.override.map((code, index) => ({ code, reason: options.reason[index] ?? '' }));
  const request: ControlRequest = { command: 'retire', name, dry_run: options.dryRun, overrides };
  const deadline = performance.now() + waitMs;
  let reported = '';
  for (;;) {
    const attempt = await tryOnce(found.path, request, io);
    const leftMs = deadline - performance.now();
    if (!('waiting' in attempt) || leftMs <= 0 || io.signal.aborted) return report(attempt, waitMs, options, io);
    if (attempt.waiting !== reported) io.err(`waiting: ${printable(attempt.waiting)}\n`);
    reported = attempt.waiting;
    await sleep(Math.min(ATTEMPT_MS, leftMs), io.signal).catch(() => {});
  }
}

/** `waiting`: why not yet, if another attempt may succeed. */
type Attempt =
  | { readonly result: RetireResult }
  | { readonly refused: CommandRefused; readonly waiting?: string }
  | { readonly away: string; readonly waiting: string };

async function tryOnce(path: string, request: ControlRequest, io: ControlIo): Promise<Attempt> {
  try {
    const result = await command(path, request, retireResult, io.signal);
    return { result };
  } catch (error) {
    if (io.signal.aborted) return { away: 'interrupted', waiting: 'interrupted' };
    if (error instanceof ControlUnavailable) return { away: error.message, waiting: error.message };
    if (!(error instanceof CommandRefused)) throw error;
    const { code, message } = error.refusal;
    const clears = code === 'not_retirable' || code === 'verdict_unknown' || code === 'not_ready';
    return clears ? { refused: error, waiting: message } : { refused: error };
  }
}

function report(attempt: Attempt, waitedMs: number, options: RetireOptions, io: ControlIo): ExitCode {
  if ('away' in attempt) return unreachable(options, io, attempt.away);
  if ('refused' in attempt) {
    const { refusal } = attempt.refused;
    const code = waitedMs > 0 && attempt.waiting !== undefined ? EXIT.timeout : exitCodeOf(refusal);
    return refuse(options, io, code, refusal);
  }
  const { result } = attempt;
  const code =
    result.done || result.left.length === 0 ? EXIT.ok : result.verdict === 'unknown' ? EXIT.unknown : EXIT.failed;
  if (options.json) io.out(`${JSON.stringify({ ok: code === EXIT.ok, result }, null, 2)}\n`);
  else io.out(describe(result, code));
  return code;
}

function describe({ tunnel, done, left, overridden, steps }: RetireResult, code: ExitCode): string {
  const may = code === EXIT.ok ? 'can be retired now' : 'cannot be retired now';
  return [
    `${printable(tunnel)} ${done ? 'is retired' : may}${done ? '' : ' (nothing was changed)'}`,
    ...left.map(({ code: why, message, clears_when }) => printable(`  ${why}: ${message}; clears when ${clears_when}`)),
    ...overridden.map(({ code: what, reason }) => printable(`  overridden: ${what}: ${reason}`)),
    ...(done ? [] : ['Steps of a retirement:']),
    ...steps.map((step) => `  ${printable(step)}`),
    '',
  ].join('\n');
}

function mistakeIn({ override, reason, wait }: RetireOptions, waitMs: number | undefined): string | undefined {
  if (wait !== undefined && waitMs === undefined) return `--wait with ${DURATION_EXPECTED}`;
  if (override.length !== reason.length) return 'one --reason for each --override, in the same order';
  return undefined;
}
