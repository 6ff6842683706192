import type { NamedTurns, Turns } from '../base/async/turns.ts';
import { closingCommand } from '../machine/systemd/closing-command.ts';
import type { Systemd } from '../machine/systemd/systemd.ts';
import { createActions } from '../operator/control/actions.ts';
import type { ReloadOutcome } from '../operator/control/answer.ts';
import type { Cutovers } from '../retirement/cutover/cutovers.ts';
import { retireTunnel } from '../retirement/drain/retire-tunnel.ts';
import type { Retirement } from '../retirement/drain/retirement.ts';
import type { Recorder } from '../retirement/evidence/recorder.ts';
import { writtenUpTo } from '../retirement/evidence/written-up-to.ts';
import { recordPlanEdit } from '../retirement/plan/record-edit.ts';
import type { PlanWatch } from '../retirement/plan/watch.ts';
import type { TakeNote } from '../telemetry/happening.ts';
import type { Metrics } from '../telemetry/metrics/metrics.ts';
import type { Rotators } from '../tunnels/credential/rotators.ts';
import type { Supervisor } from '../tunnels/tunnel/supervisor.ts';
import type { ConfigInForce } from './config-in-force.ts';
import { loggedIn } from './reload.ts';
import { rotateActor } from './rotate.ts';

/** The components that commands of an operator change. */
export interface CommandParts {
  readonly inForce: ConfigInForce;
  readonly supervisor: Supervisor;
  readonly retirement: Retirement;
  readonly cutovers: Cutovers;
  readonly rotators: Rotators;
  readonly plan: PlanWatch;
  readonly recorder: Recorder;
  readonly metrics: Metrics;
  readonly systemd: Systemd;
  readonly note: TakeNote;
  /** Changes of the running parts happen one after the other. */
  readonly changes: Turns;
  readonly tunnelTurns: NamedTurns;
  readonly actorTurns: NamedTurns;
  /** Whether the configuration is applied, so that commands make sense. */
  applied(): boolean;
  reload(): Promise<ReloadOutcome>;
}

/** What the control socket offers. Commands that change one tunnel or one actor take turns. */
export function commandActions(parts: CommandParts) {
  const { inForce, supervisor, retirement, cutovers, rotators, plan, recorder, metrics, systemd, note } = parts;
  const shared = {
    config: () => inForce.config,
    inTurn: <T>(tunnels: readonly string[], change: () => Promise<T>) =>
      parts.changes.take(() => parts.tunnelTurns.take(tunnels, change)),
    inTurnOf: <T>(actor: string, change: () => Promise<T>) => parts.actorTurns.take([actor], change),
    supervisor,
    note,
  };
  return createActions({
    ...shared,
    applied: parts.applied,
    reload: () => parts.reload(),
    loggedIn: (outcome) => loggedIn(outcome, supervisor),
    rotate: (actor) => rotateActor(actor, rotators, supervisor),
    retire: (request) =>
      retireTunnel(request, {
        ...shared,
        retirement,
        cutovers,
        plan,
        evidence: recorder,
        metrics,
        closingCommand: (tunnel) => closingCommand(tunnel, systemd.sockets.status(), process.env),
      }),
    unretire: (names) => retirement.unretire(names),
    followPlan: () => plan.follow(inForce.config.plan),
    recordPlanEdit: (edit) => recordPlanEdit(edit, { plan, evidence: recorder, note }),
    settled: () => recorder.settled(),
    recorded: async () => ({ seq: await writtenUpTo(recorder) }),
    cutovers,
  });
}
