import { withDeadline } from '../../base/async/deadline.ts';
import { TunnelError } from '../../base/errors.ts';
import type { Address } from '../../base/net/address.ts';
import { formatAddress } from '../../base/net/address.ts';
import type { Comparison, ProbeConfig, SuccessorConfig } from '../../config/config.ts';
import type { ChannelSource } from '../../tunnels/channel/channel-source.ts';
import { runCheck, unanswered } from '../../tunnels/probe/check.ts';
import { fetchExactJson, type Manner, mannerOf } from '../../tunnels/probe/http.ts';
import { type ClosedGate, laterText } from '../plan/step-facts.ts';
import { describeDifference, differences } from './compare.ts';

/** Timeout of each side of a comparison, in milliseconds. */
const COMPARE_MS = 10_000;
const COMPARE_BYTES = 1024 * 1024;

/** A condition for a cut-over, and whether it is met. */
export interface Check {
  readonly name: 'service' | 'gates' | 'successor' | 'compare';
  readonly ok: boolean;
  /** One sentence for a person. */
  readonly message: string;
  /** Details of the message, one line each. */
  readonly details: readonly string[];
}

/** The closed gates of the step that retires the tunnel. */
export type Gates = {
  readonly closedGates: readonly ClosedGate[];
};

/** The inputs of the preflight checks. */
export interface PreflightSubject {
  /** Why the tunnel is out of service; undefined if it is in service. */
  readonly outOfService: string | undefined;
  readonly step: string;
  readonly gates: Gates | string;
  readonly target: Address;
  /** The probe of the tunnel; undefined without one. */
  readonly probe: ProbeConfig | undefined;
  readonly successor: SuccessorConfig;
  /** Connects to the target through the tunnel. */
  readonly tunnel: ChannelSource;
  /** Connects to the successor. */
  readonly direct: ChannelSource;
  /** Why the successor leads back to the tunnel, in one sentence; undefined if it does not. Rejects only with the signal's reason. */
  loop(signal: AbortSignal): Promise<string | undefined>;
}

/** Checks whether a cut-over may start now. Changes nothing. Rejects only with the signal's reason. */
export async function preflight(subject: PreflightSubject, signal: AbortSignal): Promise<Check[]> {
  const loop = await subject.loop(signal);
  // Without probes: in a loop each probe would start thousands.
  if (loop !== undefined) return [inService(subject), gatesOpen(subject), check('successor', false, loop)];
  const asked = await Promise.all([
    probeSuccessor(subject.successor, subject.direct, signal),
    ...subject.successor.compare.map((comparison) => compare(subject, comparison, signal)),
  ]);
  signal.throwIfAborted();
  return [inService(subject), gatesOpen(subject), ...asked];
}

function inService({ outOfService }: PreflightSubject): Check {
  return check('service', outOfService === undefined, outOfService ?? 'the tunnel is in service');
}

function gatesOpen({ gates, step }: PreflightSubject): Check {
  if (typeof gates === 'string') return check('gates', false, gates);
  const { closedGates } = gates;
  if (closedGates.length === 0) return check('gates', true, `every approval up to step ${step} is given`);
  const missing = closedGates.map((gate) => `${gate.id}: ${gate.title} (${gate.owner})${laterText(gate)}`);
  const what = missing.length === 1 ? 'an approval is' : `${missing.length} approvals are`;
  return check('gates', false, `${what} missing up to step ${step}`, missing);
}

/** Probes `rise` times: as often as a failed probe must pass to recover. */
export async function probeSuccessor(
  successor: SuccessorConfig,
  direct: ChannelSource,
  signal: AbortSignal,
): Promise<Check> {
  const where = formatAddress(successor.target);
  for (let passed = 0; passed < successor.probe.rise; passed++) {
    const error = await probeOnce(successor, direct, signal);
    if (error) return check('successor', false, `successor ${where} is unhealthy: ${error.message}`, [error.hint]);
  }
  return check('successor', true, `successor ${where} passes its probe`);
}

/** Probes the successor once; undefined if the probe passed. Rejects only with the signal's reason. */
export async function probeOnce(
  { probe, target }: SuccessorConfig,
  direct: ChannelSource,
  signal: AbortSignal,
): Promise<TunnelError | undefined> {
  const expired = () => unanswered(probe.check, probe.timeoutMs);
  const error = await withDeadline(probe.timeoutMs, signal, expired, (bounded) =>
    runCheck(probe.check, direct, target, bounded),
  ).then(() => undefined, TunnelError.from);
  signal.throwIfAborted();
  return error;
}

async function compare(
  { tunnel, direct, target, probe, successor }: PreflightSubject,
  { path, fields }: Comparison,
  signal: AbortSignal,
): Promise<Check> {
  const name = `GET ${path}`;
  const answers = await Promise.all([
    ask('through the tunnel', tunnel, target, { path, manner: mannerOf(probe?.check) }, signal),
    ask('at the successor', direct, successor.target, { path, manner: mannerOf(successor.probe.check) }, signal),
  ]);
  const troubles = answers.flatMap((answer) => ('trouble' in answer ? [answer.trouble] : []));
  const [here, there] = answers;
  if (troubles.length > 0 || 'trouble' in here || 'trouble' in there)
    return check('compare', false, `${name} cannot be compared`, troubles);
  try {
    const found = differences(path, fields, here.json, there.json);
    if (found.length === 0) return check('compare', true, `${name}: ${fields.join(', ')} are equal on both sides`);
    const what = found.length === 1 ? 'field differs' : 'fields differ';
    return check('compare', false, `${name}: ${found.length} ${what}`, found.map(describeDifference));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return check('compare', false, `${name} cannot be compared`, ['the answers are nested too deep']);
  }
}

async function ask(
  side: string,
  source: ChannelSource,
  target: Address,
  request: { readonly path: string; readonly manner: Manner },
  signal: AbortSignal,
) {
  const expired = () => new TunnelError('target_unreachable', `no complete answer within ${COMPARE_MS / 1_000} s`);
  try {
    const json = await withDeadline(COMPARE_MS, signal, expired, async (bounded) => {
      if (!source.ready) throw new TunnelError('connection_reset', 'there is no SSH session');
      return fetchExactJson(source, target, { ...request, maxBytes: COMPARE_BYTES }, bounded);
    });
    return { json };
  } catch (error) {
    return { trouble: `${side}: ${TunnelError.from(error).message}` };
  }
}

function check(name: Check['name'], ok: boolean, message: string, details: readonly string[] = []): Check {
  return { name, ok, message, details };
}
