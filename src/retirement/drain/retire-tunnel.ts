import { ControlRefused, unknownTunnels } from '../../base/refusal.ts';
import type { TunnelConfig } from '../../config/config.ts';
import type { TakeNote } from '../../telemetry/happening.ts';
import { UNKNOWN_CODES } from '../../telemetry/status/finding-codes.ts';
import type { OwnTunnelStatus } from '../../telemetry/status/status.ts';
import { type DrainAnswer, tellFinding } from './answer.ts';
import { type Override, overrideFault, type Standing, stepsOf, withOverrides } from './retire.ts';
import type { RetiredTunnels } from './retired.ts';
import type { Verdict } from './verdict.ts';

export interface RetireRequest {
  readonly name: string;
  readonly dryRun: boolean;
  readonly overrides: readonly Override[];
}

export interface RetireOutcome {
  readonly tunnel: string;
  /** Whether it is retired now. */
  readonly done: boolean;
  /** Undefined where there was nothing left to judge. */
  readonly verdict: DrainAnswer['verdict'];
  /** What keeps it from being retired, overrides taken into account. */
  readonly left: readonly ReturnType<typeof tellFinding>[];
  readonly overridden: readonly Override[];
  /** What was done, or would be, in words. */
  readonly steps: readonly string[];
}

/** What can be done to a tunnel that goes. */
interface RetirableTunnel {
  /** Ends its forward for good; with `keepsPort` the local port stays open for the successor. */
  retire(keepsPort: boolean): Promise<void>;
  settle(graceMs: number): Promise<void>;
}

/** What the command needs of the daemon. */
export interface RetiringDaemon {
  tunnelNames(): readonly string[];
  /** The tunnel as it is configured, as it is shown, and itself; undefined for a name that is none. */
  find(name: string): { config: TunnelConfig; status: OwnTunnelStatus; tunnel: RetirableTunnel } | undefined;
  /** The verdict, with the plan file as it is now. Undefined: there is nothing to judge. */
  judge(name: string): Promise<Verdict | undefined>;
  readonly retired: Pick<RetiredTunnels, 'of' | 'add'>;
  inTurn<T>(change: () => Promise<T>): Promise<T>;
  graceMs(): number;
  /** The command that closes the port that systemd holds for it; undefined where systemd holds none. */
  closingCommand(tunnel: string): string | undefined;
  readonly note: TakeNote;
  countOverride(tunnel: string, code: string): void;
}

/** Retires a tunnel for which nothing is left that speaks against it. Rejects with {@link ControlRefused}. */
export async function retire(request: RetireRequest, daemon: RetiringDaemon): Promise<RetireOutcome> {
  const { name, dryRun, overrides } = request;
  const fault = overrideFault(overrides);
  if (fault !== undefined)
    throw new ControlRefused('cannot_override', fault, {
      hint: 'Each blocker is overridden by itself: --override CODE --reason TEXT. What the daemon has not seen, nobody can vouch for.',
    });
  if (dryRun) return rehearse(request, daemon);
  const outcome = await daemon.inTurn(async () => {
    const rehearsed = await rehearse(request, daemon);
    if (rehearsed.done) return rehearsed;
    refuseWhatIsLeft(rehearsed);
    const { config, status, tunnel } = find(name, daemon);
    const keepsPort = status.route === 'successor' && config.drain?.successor !== undefined;
    const { overridden, verdict } = rehearsed;
    // On the disk first: whatever happens from here on, it does not come back by itself.
    await daemon.retired.add(name, {
      at: new Date().toISOString(),
      keeps_port: keepsPort,
      overrides: [...overridden],
    });
    daemon.note({
      event: 'tunnel.retired',
      tunnel: name,
      verdict,
      overridden,
      rollback: config.drain?.rollback ?? null,
    });
    for (const { code } of overridden) daemon.countOverride(name, code);
    await tunnel.retire(keepsPort);
    return { ...rehearsed, done: true };
  });
  // Out of turn: nobody else waits for these connections.
  await daemon.find(name)?.tunnel.settle(daemon.graceMs());
  return outcome;
}

/** What would come of it now; changes nothing. */
async function rehearse({ name, overrides }: RetireRequest, daemon: RetiringDaemon): Promise<RetireOutcome> {
  const { config, status } = find(name, daemon);
  const nothing = { tunnel: name, verdict: null, left: [], overridden: [] };
  const retired = daemon.retired.of(name);
  if (retired) return { ...nothing, done: true, steps: [`it is retired since ${retired.at}`] };
  const verdict = await daemon.judge(name);
  if (!verdict || !config.drain)
    throw new ControlRefused('needs_somebody', `no drain section of the configuration says how ${name} goes`, {
      hint: 'Give it `drain:` with its step of the plan; to stop it for a while there is `fleet-mesh down`.',
    });
  if (config.drain.successor && status.route !== 'successor')
    throw new ControlRefused('needs_somebody', `the local port of ${name} is not with its successor yet`, {
      hint: `Move it first: \`fleet-mesh cutover ${name}\`.`,
      details: reasonsOf(withOverrides(verdict, overrides)),
    });
  const standing = withOverrides(verdict, overrides);
  const steps = stepsOf(
    config,
    status,
    daemon.graceMs(),
    status.route === 'successor' ? undefined : daemon.closingCommand(name),
  );
  const left = standing.left.map(tellFinding);
  return { tunnel: name, done: false, verdict: verdict.verdict, left, overridden: standing.used, steps };
}

function find(name: string, daemon: RetiringDaemon) {
  const found = daemon.find(name);
  if (!found) throw unknownTunnels([name], daemon.tunnelNames());
  return found;
}

function refuseWhatIsLeft({ tunnel, left }: RetireOutcome): void {
  if (left.length === 0) return;
  const details = left.map(({ code, message, clears_when }) => `${code}: ${message}; clears when ${clears_when}`);
  const codes = left.map(({ code }) => code);
  const somebody = left.filter(({ clears_by_itself }) => !clears_by_itself).map(({ code }) => code);
  if (somebody.length > 0)
    throw new ControlRefused('needs_somebody', `${tunnel} may not be retired: ${codes.join(', ')}`, {
      hint: `Waiting does not clear ${somebody.join(', ')}: somebody has to, or overrides it with --override CODE --reason TEXT.`,
      details,
    });
  const unknown = codes.every((code) => UNKNOWN_CODES.some((known) => known === code));
  throw new ControlRefused(
    unknown ? 'verdict_unknown' : 'not_retirable',
    `${tunnel} may not be retired yet: ${codes.join(', ')}`,
    {
      hint: 'Wait for it: `--wait 24h`.',
      details,
    },
  );
}

function reasonsOf({ left }: Standing): string[] {
  return left.map(({ code, message }) => `${code}: ${message}`);
}
