import type { Config } from '../config/config.ts';
import { userText } from '../machine/systemd/wanted.ts';
import type { Drain } from '../retirement/drain/drain.ts';
import { closingCommand } from '../retirement/drain/retire.ts';
import {
  type RetireOutcome,
  type RetireRequest,
  type RetiringDaemon,
  retire,
} from '../retirement/drain/retire-tunnel.ts';
import type { PlanWatch } from '../retirement/plan/watch.ts';
import type { TakeNote } from '../telemetry/happening.ts';
import type { Metrics } from '../telemetry/metrics/metrics.ts';
import type { SocketStatus } from '../telemetry/status/status.ts';
import type { Supervisor } from '../tunnels/tunnel/supervisor.ts';

export interface RetireParts {
  config(): Config;
  readonly supervisor: Supervisor;
  readonly drain: Drain;
  readonly plan: Pick<PlanWatch, 'follow'>;
  readonly metrics: Pick<Metrics, 'retireOverrides'>;
  /** As systemd has passed them. */
  sockets(): readonly SocketStatus[];
  inTurn<T>(change: () => Promise<T>): Promise<T>;
  readonly note: TakeNote;
}

/** Retires a tunnel of this daemon. Rejects with ControlRefused, or a TunnelError when it cannot be kept. */
export function retireTunnel(request: RetireRequest, parts: RetireParts): Promise<RetireOutcome> {
  const { supervisor, drain, plan, metrics, config, inTurn, note } = parts;
  const daemon: RetiringDaemon = {
    tunnelNames: () => [...config().tunnels.keys()],
    find: (name) => {
      const [tunnel] = supervisor.named([name]);
      const configured = config().tunnels.get(name);
      return tunnel && configured && { config: configured, status: tunnel.status(), tunnel };
    },
    judge: async (name) => {
      // What somebody has just written into the plan, or taken out of it, counts.
      await plan.follow(config().plan);
      return drain.judge(name, new Date());
    },
    retired: drain.retired,
    inTurn,
    graceMs: () => config().stopGraceMs,
    closingCommand: (name) => {
      const listen = config().tunnels.get(name)?.listen;
      const used = listen && userText({ user: { kind: 'tunnel', name }, address: listen });
      const socket = parts.sockets().find(({ used_by }) => used_by !== null && used_by === used);
      const { XDG_RUNTIME_DIR } = process.env;
      // A service of the system has no runtime directory of a user.
      return socket && closingCommand(socket.name, XDG_RUNTIME_DIR !== undefined);
    },
    note,
    countOverride: (tunnel, code) => metrics.retireOverrides.inc({ tunnel, code }),
  };
  return retire(request, daemon);
}
