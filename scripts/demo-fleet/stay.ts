import { sleep } from '../../src/async/sleep.ts';
import type { Status } from '../../src/health/status.ts';
import { print, say } from './say.ts';
import { DEMO_PORTS, type DemoFleet } from './start.ts';

const LOOK_EVERY_MS = 1_000;

/** Shows the fleet and what to try, then again whenever its state changes, until interrupted or the daemon ends. */
export async function stay(fleet: DemoFleet, interrupted: AbortSignal): Promise<void> {
  print(await fleet.table());
  print(whatToTry(fleet));
  let ended: string | undefined;
  void fleet.daemon.exit.then(({ code, signal }) => {
    ended = `the daemon has ended by itself (${signal ?? `exit code ${code}`})`;
  });
  let shown = signature(await fleet.daemon.status());
  while (!interrupted.aborted) {
    await sleep(LOOK_EVERY_MS, interrupted).catch(() => {});
    if (interrupted.aborted) return;
    if (ended !== undefined) throw new Error(ended);
    const status = await fleet.daemon.status().catch(() => undefined);
    if (status === undefined || signature(status) === shown) continue;
    shown = signature(status);
    say(`${new Date().toLocaleTimeString('en-GB')} something changed`);
    print(await fleet.table());
  }
}

/** What a person wants to see a new table for; counters and times change all the while. */
function signature(status: Status): string {
  return JSON.stringify([
    status.state,
    status.links.map(({ state, sessions }) => [state, sessions.map(({ id, role }) => [id, role])]),
    status.tunnels.map(({ name, state, route }) => [name, state, route]),
    status.config.sha256,
    status.config.last_reload?.at,
  ]);
}

function whatToTry(fleet: DemoFleet): string {
  const endpoint = `http://127.0.0.1:${DEMO_PORTS.endpoint}`;
  return `
Try, in another terminal:
   curl -s http://127.0.0.1:${DEMO_PORTS.stateHub}/state/health     # State Hub, through its tunnel
   curl -s http://127.0.0.1:${DEMO_PORTS.issueCore}/healthz          # issue-core, through its tunnel
   curl -s ${endpoint}/status                # the whole state as JSON; ?format=text for the table
   curl -s ${endpoint}/readyz
   curl -s ${endpoint}/metrics | grep fleet_mesh_tunnel_up
   node dist/cli.js status --watch
   kill -HUP ${fleet.daemon.pid}                                  # after editing ${fleet.configFile}

Ctrl-C ends it and cleans everything up. This table comes again when something changes.
`;
}
