import type { DemoFleet } from './start.ts';

/** Commands for another terminal and the page for a browser, each with its purpose. */
export function whatToTry({ daemon, configFile, coulombcore, options: { ports } }: DemoFleet): string {
  const endpoint = `http://127.0.0.1:${ports.endpoint}`;
  const suggestions = [
    [`export FLEET_MESH_CONFIG=${configFile}`],
    [`${endpoint}/`, 'in a browser: the status page, live'],
    ['node dist/cli.js status --watch', 'the table, live'],
    ['node dist/cli.js why fleet-state-hub-coulombcore', 'one tunnel, explained'],
    ...(coulombcore.ca === undefined ? [] : [['node dist/cli.js rotate atm-fleet-mesh', 'a new certificate, now']]),
    [`curl -s http://127.0.0.1:${ports.stateHub}/state/health`, 'State Hub, through its tunnel'],
    [`curl -s http://127.0.0.1:${ports.issueCore}/healthz`, 'issue-core, through its tunnel'],
    [`curl -s ${endpoint}/status`, 'everything as JSON (?format=text for the table)'],
    [`curl -s '${endpoint}/readyz?production=true'`, 'can production rely on the tunnels?'],
    [`curl -s ${endpoint}/metrics | grep fleet_mesh_`, 'the metrics for Prometheus'],
    [`kill -HUP ${daemon.pid}`, 'reload, after a change of the configuration'],
  ];
  const lines = suggestions.map(([command = '', purpose]) =>
    purpose === undefined ? `   ${command}` : `   ${command.padEnd(59)} # ${purpose}`,
  );
  return [
    '',
    `Try in a browser, or in another terminal in ${process.cwd()}:`,
    ...lines,
    '',
    'Ctrl-C ends the demo and removes its files.',
  ].join('\n');
}
