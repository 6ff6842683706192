import { withDeadline } from '../../base/async/deadline.ts';
import { TunnelError } from '../../base/errors.ts';
import type { Address } from '../../base/net/address.ts';
import { formatAddress } from '../../base/net/address.ts';
import type { Comparison, SuccessorConfig } from '../../config/config.ts';
import type { ChannelSource } from '../../tunnels/channel/channel-source.ts';
import { runCheck, unanswered } from '../../tunnels/probe/check.ts';
import { fetchExactJson } from '../../tunnels/probe/http.ts';
import { type ClosedGate, laterText } from '../plan/step-facts.ts';
import { describeDifference, differences } from './compare.ts';

/** Each side answers a comparison within this time, in milliseconds. */
const COMPARE_MS = 10_000;
const COMPARE_BYTES = 1024 * 1024;

/** One thing that has to be so before a cut-over, and whether it is. */
export interface Check {
  readonly name: 'service' | 'gates' | 'successor' | 'compare';
  readonly ok: boolean;
  /** One sentence for a person. */
  readonly message: string;
  /** One line each, where the message is only the sum of them. */
  readonly details: readonly string[];
}

/** What the plan says of the step that the tunnel hangs on, or in one sentence why it says nothing. */
export type Gates = {
  readonly closedGates: readonly ClosedGate[];
};

/** Everything that is asked. */
export interface PreflightSubject {
  /** Why the tunnel is not in service; undefined: it is. */
  readonly outOfService: string | undefined;
  readonly step: string;
  readonly gates: Gates | string;
  readonly target: Address;
  readonly successor: SuccessorConfig;
  /** What leads to the target through the tunnel. */
  readonly tunnel: ChannelSource;
  /** What leads to the successor. */
  readonly direct: ChannelSource;
  /** Whether the successor leads back to the tunnel, in one sentence; undefined: no. Rejects with the signal's reason only. */
  loop(signal: AbortSignal): Promise<string | undefined>;
}

/** Finds out whether a cut-over may be made now, and changes nothing. Rejects with the signal's reason only. */
export async function preflight(subject: PreflightSubject, signal: AbortSignal): Promise<Check[]> {
  const loop = await subject.loop(signal);
  // Nobody is asked in a circle: each question would become thousands.
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
  if (closedGates.length === 0) return check('gates', true, `every approval on the way to step ${step} is given`);
  const missing = closedGates.map((gate) => `${gate.id}: ${gate.title} (${gate.owner})${laterText(gate)}`);
  const what = missing.length === 1 ? 'an approval is' : `${missing.length} approvals are`;
  return check('gates', false, `${what} missing on the way to step ${step}`, missing);
}

/** As often as it takes to be trusted again after a failure. */
export async function probeSuccessor(
  successor: SuccessorConfig,
  direct: ChannelSource,
  signal: AbortSignal,
): Promise<Check> {
  const where = formatAddress(successor.target);
  for (let passed = 0; passed < successor.probe.rise; passed++) {
    const error = await probeOnce(successor, direct, signal);
    if (error) return check('successor', false, `the successor ${where} is not well: ${error.message}`, [error.hint]);
  }
  return check('successor', true, `the successor ${where} passes its probe`);
}

/** One probe of the successor, bounded; undefined: it passed. Rejects with the signal's reason only. */
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
  { tunnel, direct, target, successor }: PreflightSubject,
  { path, fields }: Comparison,
  signal: AbortSignal,
): Promise<Check> {
  const name = `GET ${path}`;
  const answers = await Promise.all([
    ask('through the tunnel', tunnel, target, path, signal),
    ask('at the successor', direct, successor.target, path, signal),
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

async function ask(side: string, source: ChannelSource, target: Address, path: string, signal: AbortSignal) {
  const expired = () => new TunnelError('target_unreachable', `no whole answer within ${COMPARE_MS / 1_000} s`);
  try {
    const json = await withDeadline(COMPARE_MS, signal, expired, async (bounded) => {
      if (!source.ready) throw new TunnelError('connection_reset', 'there is no SSH session');
      return fetchExactJson(source, target, { path, maxBytes: COMPARE_BYTES }, bounded);
    });
    return { json };
  } catch (error) {
    return { trouble: `${side}: ${TunnelError.from(error).message}` };
  }
}

function check(name: Check['name'], ok: boolean, message: string, details: readonly string[] = []): Check {
  return { name, ok, message, details };
}
