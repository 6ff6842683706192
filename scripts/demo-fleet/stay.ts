import { sleep } from '../../src/async/sleep.ts';
import type { Status } from '../../src/health/status.ts';
import { print, say } from './say.ts';
import { DEMO_PORTS, type DemoFleet } from './start.ts';

const LOOK_EVERY_MS = 1_000;

/** Shows the fleet and what to try, then again whenever its state changes, until interrupted or the daemon ends. */
export async function stay(fleet: DemoFleet, interrupted: AbortSignal): Promise<void> {
  await show(fleet);
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
    await show(fleet);
  }
}

async function show({ table, coulombcore }: DemoFleet): Promise<void> {
  print(await table());
  const kill = coulombcore.killCommand();
  if (kill !== undefined) print(`\nTo kill these SSH sessions: ${kill}`);
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

function whatToTry({ daemon, configFile }: DemoFleet): string {
  const endpoint = `http://127.0.0.1:${DEMO_PORTS.endpoint}`;
  const suggestions = [
    [`curl -s http://127.0.0.1:${DEMO_PORTS.stateHub}/state/health`, 'State Hub, through its tunnel'],
    [`curl -s http://127.0.0.1:${DEMO_PORTS.issueCore}/healthz`, 'issue-core, through its tunnel'],
    [`curl -s ${endpoint}/status`, 'everything as JSON (?format=text for the table)'],
    [`curl -s '${endpoint}/readyz?production=true'`, 'may production rely on it?'],
    [`curl -s ${endpoint}/metrics | grep fleet_mesh_`, 'what Prometheus gets'],
    ['node dist/cli.js status --watch', 'the table, live'],
    [`kill -HUP ${daemon.pid}`, `reload, after editing ${configFile}`],
  ];
  const lines = suggestions.map(([command, purpose]) => `   ${command?.padEnd(58)} # ${purpose}`);
  return [
    `\nTry, in another terminal, in ${process.cwd()}:`,
    ...lines,
    '\nCtrl-C ends it and cleans everything up. The table comes again when something changes.',
  ].join('\n');
}
