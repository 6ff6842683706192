import { sleep } from '../../base/async/sleep.ts';
import type { TcpAddress } from '../../base/net/address.ts';
import { printable } from '../../base/text/printable.ts';
import { DURATION_EXPECTED, parseDuration } from '../../config/duration.ts';
import type { Status } from '../../telemetry/status/status.ts';
import { CONDITIONS, type Condition, type Holding, holds, waitedFor } from '../text/holds.ts';
import { type CommandIo, EXIT, type ExitCode } from './command.ts';
import { fetchStatus, StatusUnavailable } from './fetch-status.ts';
import { type EndpointOptions, findEndpoint, notAnEndpoint } from './find-endpoint.ts';
import { unknownTunnel } from './unknown-tunnel.ts';

export interface WaitOptions extends EndpointOptions {
  /** Empty: the production tunnels in service. */
  readonly names: readonly string[];
  /** One of {@link CONDITIONS}. */
  readonly for: string;
  /** As written, e.g. `60s`. */
  readonly timeout: string;
  readonly json: boolean;
}

/** Time between two checks, in milliseconds. */
const LOOK_MS = 300;

/**
 * The daemon reads a changed plan file within this time, in milliseconds. Until then a verdict may be older than
 * `fleet-mesh plan done`, and must not end the wait.
 */
const PLAN_LAG_MS = 3_000;

/** The result of the last check. */
interface Look {
  readonly code: ExitCode;
  /** Whether another check may change the result. */
  readonly open: boolean;
  readonly reasons: readonly string[];
  /** What to do, for a daemon that gave no snapshot. */
  readonly hint?: string;
}

/**
 * `fleet-mesh wait`: waits until a condition holds for every named tunnel. An unreachable daemon may be starting, so
 * the wait continues. An unknown name, or a condition that waiting cannot reach, ends the wait early. So does a wait
 * without names if no production tunnel is in service: success would promise something about no tunnel at all.
 */
export async function wait(options: WaitOptions, io: CommandIo & { readonly signal: AbortSignal }): Promise<ExitCode> {
  const condition = CONDITIONS.find((known) => known === options.for);
  const timeoutMs = parseDuration(options.timeout);
  if (condition === undefined || timeoutMs === undefined) {
    const what = condition === undefined ? `--for ${CONDITIONS.join(' or ')}` : `--timeout with ${DURATION_EXPECTED}`;
    io.err(`fleet-mesh: expected ${what}\n`);
    return EXIT.usage;
  }
  const endpoint = await findEndpoint(options, io.err);
  if (endpoint === undefined) {
    io.err(notAnEndpoint(options));
    return EXIT.usage;
  }
  const since = performance.now();
  const givesUpFrom = condition === 'retirable' ? since + PLAN_LAG_MS : since;
  const once = () => look(endpoint, options.names, condition, io.signal);
  const last = await lookUntil({ deadline: since + timeoutMs, givesUpFrom }, once, io);
  const code = last.open && last.code === EXIT.failed ? EXIT.timeout : last.code;
  report(code, last, performance.now() - since, options, io);
  return code;
}

/** `givesUpFrom`: before this time (performance.now(), like `deadline`) no reason ends the wait. */
async function lookUntil(
  { deadline, givesUpFrom }: { readonly deadline: number; readonly givesUpFrom: number },
  once: () => Promise<Look>,
  io: CommandIo & { readonly signal: AbortSignal },
): Promise<Look> {
  let reported = '';
  for (;;) {
    const seen = await once();
    const left = deadline - performance.now();
    const over = !seen.open && (seen.code !== EXIT.failed || performance.now() >= givesUpFrom);
    if (over || left <= 0 || io.signal.aborted) return seen;
    const [first] = seen.open ? seen.reasons : [];
    if (first !== undefined && first !== reported) io.err(`waiting: ${printable(first)}\n`);
    reported = first ?? reported;
    await sleep(Math.min(LOOK_MS, left), io.signal).catch(() => {});
  }
}

async function look(
  endpoint: TcpAddress,
  names: readonly string[],
  condition: Condition,
  signal: AbortSignal,
): Promise<Look> {
  try {
    return judge(await fetchStatus(endpoint, signal), names, condition);
  } catch (error) {
    if (signal.aborted) return { code: EXIT.unknown, open: false, reasons: ['interrupted'] };
    if (!(error instanceof StatusUnavailable)) throw error;
    return { code: EXIT.unknown, open: true, reasons: [error.message], hint: error.hint };
  }
}

/** `failed` and open: not yet. */
function judge(status: Status, names: readonly string[], condition: Condition): Look {
  const unknown = names.find((name) => !status.tunnels.some((tunnel) => tunnel.name === name));
  if (unknown !== undefined) return { code: EXIT.noSuchTunnel, open: false, reasons: [unknownTunnel(unknown, status)] };
  const tunnels = names.length === 0 ? waitedFor(status) : status.tunnels.filter(({ name }) => names.includes(name));
  if (tunnels.length === 0) return { code: EXIT.timeout, open: false, reasons: [nothingToWaitFor(status)] };
  const missing = tunnels.map((tunnel) => holds(condition, tunnel)).filter((holding) => holding.kind !== 'holds');
  const reasons = missing.map(({ reason }) => reason);
  const some = (kind: Holding['kind']) => missing.some((holding) => holding.kind === kind);
  if (some('never')) return { code: EXIT.failed, open: false, reasons };
  if (some('unknown')) return { code: EXIT.unknown, open: false, reasons };
  return missing.length === 0 ? { code: EXIT.ok, open: false, reasons } : { code: EXIT.failed, open: true, reasons };
}

function nothingToWaitFor({ tunnels }: Status): string {
  if (tunnels.length === 0) return 'there is nothing to wait for: no tunnel is configured';
  const inService = tunnels.some(({ production }) => production) ? ' in service' : '';
  return `there is nothing to wait for: no production tunnel${inService}; name the tunnels, or set production: true`;
}

function report(
  code: ExitCode,
  { open, reasons, hint: said = '' }: Look,
  waitedMs: number,
  options: WaitOptions,
  io: CommandIo,
): void {
  if (options.json) {
    const result = { ok: code === EXIT.ok, for: options.for, waited_ms: Math.round(waitedMs), reasons };
    io.out(`${JSON.stringify(result, null, 2)}\n`);
    return;
  }
  if (code === EXIT.ok) return;
  const what = code === EXIT.timeout && open ? `not within ${options.timeout}: ` : '';
  const hint = said === '' ? '' : `${said}\n`;
  const lines = reasons.map((reason) => `fleet-mesh: ${what}${printable(reason)}\n`);
  io.err(`${lines.join('')}${hint}`);
}
