import { ControlRefused, unknownTunnels } from '../../base/refusal.ts';
import type { Config, TunnelConfig } from '../../config/config.ts';
import type { TakeNote } from '../../telemetry/happening.ts';
import { UNKNOWN_CODES } from '../../telemetry/status/finding-codes.ts';
import { placeOf } from '../../tunnels/tunnel/sameness.ts';
import type { Cutovers } from '../cutover/cutovers.ts';
import type { PlanWatch } from '../plan/watch.ts';
import { findingAnswer, type VerdictAnswer } from './answer.ts';
import { type CurrentUse, outline } from './outline.ts';
import { type Override, overrideFault, withOverrides } from './overrides.ts';
import type { RetiredTunnels } from './retired.ts';
import type { Retirement } from './retirement.ts';

export interface RetireRequest {
  readonly name: string;
  readonly dryRun: boolean;
  readonly overrides: readonly Override[];
}

export interface RetireOutcome {
  readonly tunnel: string;
  /** Whether the tunnel is retired now. */
  readonly done: boolean;
  /** Null if the tunnel was retired before. */
  readonly verdict: VerdictAnswer['verdict'];
  /** Findings that prevent retirement, without the overridden ones. */
  readonly left: readonly ReturnType<typeof findingAnswer>[];
  readonly overridden: readonly Override[];
  /** The steps that were taken, or would be, in words. */
  readonly steps: readonly string[];
}

/** The operations that retiring a tunnel needs. */
interface RetirableTunnel {
  status(): CurrentUse;
  /** Ends the forward for good; with `keepsPort` the local port stays open for the successor. */
  retire(keepsPort: boolean): Promise<void>;
  settle(graceMs: number): Promise<void>;
}

/** The parts of the daemon that retiring a tunnel needs. */
export interface RetireParts {
  /** The configuration in force. */
  config(): Config;
  readonly supervisor: { named(names: readonly string[]): readonly (RetirableTunnel | undefined)[] };
  readonly retirement: Pick<Retirement, 'judge'> & { readonly retired: Pick<RetiredTunnels, 'of' | 'add' | 'confirm'> };
  readonly cutovers: Pick<Cutovers, 'confirm'>;
  readonly plan: Pick<PlanWatch, 'follow'>;
  /** Looks now whether the evidence is still written. Bounded. */
  readonly evidence: { check(): Promise<void> };
  readonly metrics: { readonly retireOverrides: { inc(labels: { tunnel: string; code: string }): void } };
  /** Runs a change of these tunnels after their earlier changes. */
  inTurn<T>(tunnels: readonly string[], change: () => Promise<T>): Promise<T>;
  /** The command that closes the systemd socket of the tunnel; undefined if there is no such socket. */
  closingCommand(tunnel: TunnelConfig): string | undefined;
  readonly note: TakeNote;
}

/**
 * Retires a tunnel that has no remaining findings. Rejects with {@link ControlRefused}, or with a TunnelError if the state
 * file cannot be written.
 */
export async function retireTunnel(request: RetireRequest, parts: RetireParts): Promise<RetireOutcome> {
  const { name, dryRun, overrides } = request;
  const fault = overrideFault(overrides);
  if (fault !== undefined)
    throw new ControlRefused('cannot_override', fault, {
      hint: `Override blockers one at a time: --override CODE --reason TEXT. ${UNKNOWN_CODES.join(' and ')} cannot be overridden.`,
    });
  if (dryRun) return rehearse(request, parts);
  const { retirement, metrics, note } = parts;
  const outcome = await parts.inTurn([name], async () => {
    // Judged in its turn, not at the request: a rollback may have come first.
    const rehearsed = await rehearse(request, parts);
    if (rehearsed.done) {
      // Said once more, so it must be so on the disk.
      if (retirement.retired.of(name)?.keeps_port) await parts.cutovers.confirm(name);
      await retirement.retired.confirm();
      return rehearsed;
    }
    refuseWhatIsLeft(rehearsed);
    const { config, tunnel } = find(name, parts);
    const keepsPort = tunnel.status().route === 'successor' && config.drain?.successor !== undefined;
    if (config.drain?.successor && !keepsPort) throw portStays(name);
    const { overridden, verdict } = rehearsed;
    // Without the saved commit a restart would send the clients of a retired tunnel nowhere.
    if (keepsPort) await parts.cutovers.confirm(name);
    const place = placeOf(config);
    const entry = { at: new Date().toISOString(), keeps_port: keepsPort, overrides: [...overridden], place };
    // Written to disk first: from here on a crash does not bring the tunnel back.
    await retirement.retired.add(name, entry, async () => refuseWhatIsLeft(await rehearse(request, parts)));
    note({
      event: 'tunnel.retired',
      tunnel: name,
      verdict,
      keeps_port: keepsPort,
      overridden,
      place,
      rollback: config.drain?.rollback ?? null,
    });
    for (const { code } of overridden) metrics.retireOverrides.inc({ tunnel: name, code });
    await tunnel.retire(keepsPort);
    return { ...rehearsed, done: true };
  });
  // Outside the turn: other changes need not wait for these connections.
  await parts.supervisor.named([name])[0]?.settle(parts.config().stopGraceMs);
  return outcome;
}

/** The outcome if the tunnel were retired now; changes nothing. */
async function rehearse({ name, overrides }: RetireRequest, parts: RetireParts): Promise<RetireOutcome> {
  const { retirement, plan, evidence } = parts;
  const { config, tunnel } = find(name, parts);
  const nothing = { tunnel: name, verdict: null, left: [], overridden: [] };
  const retired = retirement.retired.of(name);
  if (retired) return { ...nothing, done: true, steps: [`${name} is retired already, since ${retired.at}`] };
  // A change of the plan file in the last second counts.
  await plan.follow(parts.config().plan);
  // So does a log that was moved in the last second.
  await evidence.check();
  const verdict = retirement.judge(name, new Date());
  if (!verdict || !config.drain)
    throw new ControlRefused('needs_somebody', `${name} has no drain section in the configuration`, {
      hint: `Add \`drain:\` with the plan step that retires ${name}. To stop the tunnel for a while, use \`fleet-mesh down ${name}\`.`,
    });
  const standing = withOverrides(verdict, overrides);
  const status = tunnel.status();
  const closeSocket = status.route === 'successor' ? undefined : parts.closingCommand(config);
  const steps = outline(config, status, parts.config().stopGraceMs, closeSocket);
  const left = standing.left.map(findingAnswer);
  return { tunnel: name, done: false, verdict: verdict.verdict, left, overridden: standing.used, steps };
}

function find(name: string, { config, supervisor }: RetireParts) {
  const { tunnels } = config();
  const [tunnel] = supervisor.named([name]);
  const configured = tunnels.get(name);
  if (!tunnel || !configured) throw unknownTunnels([name], [...tunnels.keys()]);
  return { config: configured, tunnel };
}

function portStays(tunnel: string, details: readonly string[] = []): ControlRefused {
  return new ControlRefused('needs_somebody', `the local port of ${tunnel} does not lead to the successor yet`, {
    hint: `Cut over first: \`fleet-mesh cutover ${tunnel}\`.`,
    details,
  });
}

function refuseWhatIsLeft({ tunnel, left }: RetireOutcome): void {
  if (left.length === 0) return;
  const details = left.map(({ code, message, clears_when }) => `${code}: ${message}; clears when ${clears_when}`);
  const codes = left.map(({ code }) => code);
  if (codes.includes('not_cut_over')) throw portStays(tunnel, details);
  const somebody = left.filter(({ clears_by_itself }) => !clears_by_itself).map(({ code }) => code);
  if (somebody.length > 0)
    throw new ControlRefused('needs_somebody', `${tunnel} cannot be retired: ${codes.join(', ')}`, {
      hint: `Waiting does not clear ${somebody.join(', ')}. Fix the cause, or override each with --override CODE --reason TEXT.`,
      details,
    });
  const unknown = codes.every((code) => UNKNOWN_CODES.some((known) => known === code));
  throw new ControlRefused(
    unknown ? 'verdict_unknown' : 'not_retirable',
    `${tunnel} cannot be retired yet: ${codes.join(', ')}`,
    {
      hint: `To wait and then retire: \`fleet-mesh retire ${tunnel} --wait 24h\`.`,
      details,
    },
  );
}
