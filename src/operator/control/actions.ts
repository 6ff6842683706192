import { sleep } from '../../base/async/sleep.ts';
import { CATALOGUE, TunnelError } from '../../base/errors.ts';
import { ControlRefused, unknownActor, unknownTunnels } from '../../base/refusal.ts';
import { printable } from '../../base/text/printable.ts';
import type { ActorConfig, Config } from '../../config/config.ts';
import type { RetireOutcome, RetireRequest } from '../../retirement/drain/retire-tunnel.ts';
import type { PlanEdit, RecordedEdit } from '../../retirement/plan/record-edit.ts';
import type { TakeNote } from '../../telemetry/happening.ts';
import type { OwnTunnelStatus } from '../../telemetry/status/status.ts';
import type { ControlActions, Reloaded, ReloadOutcome } from './answer.ts';
import { cutoverActions, type RoutedDaemon } from './cutover-actions.ts';
import { FAILING } from './protocol.ts';

/** The operations on one tunnel. */
interface ControlledTunnel {
  suspend(): Promise<void>;
  settle(graceMs: number): Promise<void>;
}

/** The parts of the daemon that the commands use. */
export interface ControlledDaemon<Controlled extends ControlledTunnel> {
  /** The configuration in force. */
  config(): Config;
  /** Whether it is neither starting nor stopping. */
  applied(): boolean;
  reload(): Promise<ReloadOutcome>;
  /** Waits for the first logins with changed settings. Rejects with a TunnelError if one fails. Bounded. */
  loggedIn(outcome: Reloaded): Promise<void>;
  /** Runs a change of these tunnels after the earlier changes. */
  inTurn<T>(tunnels: readonly string[], change: () => Promise<T>): Promise<T>;
  /** Runs a change of an actor after the earlier changes of that actor. */
  inTurnOf<T>(actor: string, change: () => Promise<T>): Promise<T>;
  /** Rejects with a TunnelError. Returns one line for people. */
  rotate(actor: ActorConfig): Promise<string>;
  retire(request: RetireRequest): Promise<RetireOutcome>;
  /** Reads the plan file again. Never rejects. */
  followPlan(): Promise<void>;
  /** Rejects with {@link ControlRefused}. */
  recordPlanEdit(edit: PlanEdit): Promise<RecordedEdit>;
  /** Settles when the evidence so far is on the disk. Rejects with {@link ControlRefused}. */
  recorded(): Promise<RecordedEdit>;
  /** Settles when the evidence so far is on the disk, or cannot be written. Bounded. */
  settled(): Promise<void>;
  /** Cancels retirements. Rejects with a TunnelError if the change cannot be saved. */
  unretire(names: readonly string[]): Promise<void>;
  readonly note: TakeNote;
  readonly cutovers: RoutedDaemon;
  readonly supervisor: {
    named(names: readonly string[]): (Controlled | undefined)[];
    resume(config: Config, tunnels: readonly Controlled[]): Promise<void>;
    tunnels(): OwnTunnelStatus[];
  };
}

/** The longest wait for the outcome of `up` or `reload`, in milliseconds, and the time between two looks. */
const OUTCOME_MS = 10_000;
const LOOK_MS = 100;

/** Whether the tunnel serves, or cannot serve before somebody fixes the cause. */
function isOutcome(tunnel: OwnTunnelStatus): boolean {
  // Another operator may have taken the tunnel out of service meanwhile.
  return !FAILING.has(tunnel.state) || isBlocked(tunnel);
}

/** Whether the tunnel stays down until somebody fixes the cause. */
function isBlocked({ state, last_error: error }: OwnTunnelStatus): boolean {
  return state === 'down' && error !== null && (error.code === 'listen_in_use' || !CATALOGUE[error.code].retryable);
}

/** Whether it is known what the tunnel does after a reload. */
function isKnown(tunnel: OwnTunnelStatus): boolean {
  return isOutcome(tunnel) || tunnel.last_error !== null;
}

/** One line for each tunnel in service that is not up. */
function failing(tunnels: readonly OwnTunnelStatus[]): string[] {
  return tunnels.flatMap(({ name, state, reason }) => (FAILING.has(state) ? `${name}: ${state}: ${reason}` : []));
}

/** The commands of the control socket. Each does everything that was asked, or nothing. */
export function createActions<Controlled extends ControlledTunnel>(
  daemon: ControlledDaemon<Controlled>,
): ControlActions {
  const { supervisor } = daemon;
  const refuseUnlessApplied = () => {
    if (daemon.applied()) return;
    throw new ControlRefused('not_ready', 'the daemon is starting or stopping', { hint: 'Try again in a moment.' });
  };
  const named = (names: readonly string[]): Controlled[] => {
    refuseUnlessApplied();
    const found = supervisor.named(names);
    const tunnels = found.filter((tunnel) => tunnel !== undefined);
    if (tunnels.length === names.length) return tunnels;
    const missing = names.filter((_, index) => found[index] === undefined);
    throw unknownTunnels(missing, [...daemon.config().tunnels.keys()]);
  };
  const statusOf = (names: readonly string[]) => supervisor.tunnels().filter(({ name }) => names.includes(name));

  const settled = async (names: readonly string[], isSettled: (tunnel: OwnTunnelStatus) => boolean) => {
    const deadline = performance.now() + OUTCOME_MS;
    while (performance.now() < deadline && daemon.applied() && !statusOf(names).every(isSettled)) await sleep(LOOK_MS);
    return statusOf(names);
  };

  return {
    reload: async () => {
      refuseUnlessApplied();
      const outcome = await daemon.reload();
      if (!outcome.ok) return { outcome, tunnels: [], blocked: [] };
      const login = daemon.loggedIn(outcome).then(() => undefined, TunnelError.from);
      const [tunnels, failed] = [await settled(outcome.moved, isKnown), await login];
      if (failed)
        throw new ControlRefused(failed.code, failed.message, { hint: failed.hint, details: failing(tunnels) });
      return { outcome, tunnels, blocked: tunnels.filter(isBlocked).map(({ name }) => name) };
    },
    up: async (names) => {
      await daemon.inTurn(names, async () => {
        const tunnels = named(names);
        daemon.note({ event: 'operator.up', tunnels: names });
        await daemon.unretire(names);
        await daemon.cutovers.backInService(names);
        await supervisor.resume(daemon.config(), tunnels);
      });
      // Out of turn: other changes need not wait for hosts.
      return settled(names, isOutcome);
    },
    down: async (names) => {
      const tunnels = await daemon.inTurn(names, async () => {
        const found = named(names);
        daemon.note({ event: 'operator.down', tunnels: names });
        await Promise.all(
          names.map((name) => daemon.cutovers.giveUp(name, 'an operator took the tunnel out of service')),
        );
        await Promise.all(found.map((tunnel) => tunnel.suspend()));
        return found;
      });
      // Out of turn: other changes need not wait for these connections.
      await Promise.all(tunnels.map((tunnel) => tunnel.settle(daemon.config().stopGraceMs)));
      return statusOf(names);
    },
    rotate: (actor) =>
      daemon.inTurnOf(actor, async () => {
        refuseUnlessApplied();
        const { actors } = daemon.config();
        const config = actors.get(actor);
        if (!config) throw unknownActor(actor, [...actors.keys()]);
        daemon.note({ event: 'operator.rotate', actor });
        return daemon.rotate(config);
      }),
    retire: async (request) => {
      refuseUnlessApplied();
      return daemon.retire(request);
    },
    planEdited: async (edit) => {
      refuseUnlessApplied();
      await daemon.followPlan();
      return daemon.recordPlanEdit(edit);
    },
    releaseObserved: async ({ outcome, release, previous, reasons, observed_ms, user }) => {
      refuseUnlessApplied();
      const reason = reasons.length === 0 ? {} : { reason: reasons.map((each) => printable(each)).join('; ') };
      daemon.note({ event: `release.${outcome}`, release, previous, ...reason, observed_ms, user });
      return daemon.recorded();
    },
    settled: () => daemon.settled(),
    ...cutoverActions({
      ...daemon,
      inTurn: (change) => daemon.inTurn([], change),
      followPlan: () => daemon.followPlan(),
      known: (name) => void named([name]),
    }),
  };
}
