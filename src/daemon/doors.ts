import { settledWithin } from '../base/async/settled-within.ts';
import { type Config, ownNames } from '../config/config.ts';
import type { Systemd } from '../machine/systemd/systemd.ts';
import type { Fleet } from '../operator/fleet/fleet.ts';
import { createEndpoint, type Endpoint } from '../operator/http/server.ts';
import type { LastHour } from '../operator/page/last-hour.ts';
import type { Retirement } from '../retirement/drain/retirement.ts';
import type { Recorder } from '../retirement/evidence/recorder.ts';
import type { PlanWatch } from '../retirement/plan/watch.ts';
import type { RootLogger } from '../telemetry/log/log.ts';
import type { Metrics } from '../telemetry/metrics/metrics.ts';
import type { Status } from '../telemetry/status/status.ts';
import type { Supervisor } from '../tunnels/tunnel/supervisor.ts';
import type { ConfigInForce } from './config-in-force.ts';

/** The parts of the daemon that answer questions over HTTP. */
export interface DoorParts {
  readonly inForce: ConfigInForce;
  readonly plan: PlanWatch;
  readonly retirement: Retirement;
  readonly fleet: Fleet;
  readonly recorder: Recorder;
  readonly supervisor: Supervisor;
  readonly metrics: Metrics;
  readonly lastHour: LastHour;
  readonly log: RootLogger;
  readonly systemd: Systemd;
  snapshot(): Status;
  alive(): boolean;
  /** Whether the configuration is applied. */
  applied(): boolean;
}

/** A door waits no longer for the tunnels of the start, the plan file and the evidence, in milliseconds. */
const REFRESH_MS = 1_000;

/** The HTTP endpoint of a configuration. Its answers always come from the running parts. */
export function openDoors(config: Config, parts: DoorParts): Endpoint {
  const { inForce, plan, retirement, fleet, recorder, supervisor, metrics, lastHour, log, systemd } = parts;
  return createEndpoint(
    { listen: config.endpoint.listen, allowedHosts: () => ownNames(inForce.config) },
    {
      snapshot: parts.snapshot,
      plan: () => plan.view(inForce.config.tunnels.values(), new Date()),
      tunnelNames: () => [...inForce.config.tunnels.keys()],
      drain: (tunnel, now) => retirement.answer(tunnel, now),
      fleet: () => fleet.look(),
      alive: parts.alive,
      events: recorder.recent,
      opened: async () => {
        await Promise.all([settledWithin(supervisor.listed, REFRESH_MS), recorder.opened()]);
      },
      refreshed: () => settledWithin(Promise.all([supervisor.listed, plan.refresh(), recorder.check()]), REFRESH_MS),
      recorded: () => recorder.settled(),
      readiness: () => ({ applied: parts.applied(), unbound: supervisor.unbound }),
      metrics,
      lastHour,
      log: log.child({ component: 'endpoint' }),
      adopt: (address, taker) => systemd.sockets.claim({ user: { kind: 'endpoint' }, address }, taker),
    },
  );
}
