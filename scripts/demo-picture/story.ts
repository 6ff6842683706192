import { setTimeout as pause } from 'node:timers/promises';
import { linesOf, type Run } from './ansi.ts';
import { type Lab, PORTS } from './lab.ts';
import type { Scene, Step } from './svg.ts';
import { COLUMNS, onTerminal } from './terminal.ts';

/** The status shows times of a node that has run for a while. */
const SETTLE_MS = 12_000;
/** Long enough to see the wait, and far below `while_down.hold`. */
const AWAY_MS = 3_000;

const HEALTH = `curl -s http://127.0.0.1:${PORTS.apiTunnel}/health`;

/** Plays the story on the lab and records the terminal output. */
export async function record(lab: Lab): Promise<Scene[]> {
  const run = (command: string) => runIn(lab, command);
  await pause(SETTLE_MS);
  const calm: Step[] = [said('Two tunnels to one host, over two SSH sessions: one active, one standby.', 2)];
  calm.push(...(await shown('fleet-mesh status', run, 6)));

  const [victim] = lab.sshd.sessionPids();
  if (victim === undefined) throw new Error('sshd has no session');
  const kill = `kill -9 ${victim}`;
  const switched: Step[] = [said('The SSH process of session 1 is killed. The next connection takes session 2.', 2)];
  switched.push(...(await shown(kill, run, 1)), ...(await shown(HEALTH, run, 2)));
  await lab.daemon.waitFor(({ state, links }) => state === 'up' && links[0]?.sessions.length === 2);
  switched.push(...(await shown('fleet-mesh status', run, 6)));

  const down: Step[] = [said('The whole host is gone. The status says why, and what would fix it.', 2)];
  await lab.sshd.stop();
  await lab.daemon.waitFor(({ state, links }) => state === 'down' && links[0]?.last_error?.code === 'connect_refused');
  down.push(...(await shown('fleet-mesh status', run, 7)));
  const from = performance.now();
  const waiting = run(HEALTH);
  await pause(AWAY_MS);
  await lab.sshd.restart();
  const answer = await waiting;
  const seconds = Math.round((performance.now() - from) / 1_000);
  down.push(said(`New connections wait for the host instead of failing. This one waited ${seconds} s.`, 2));
  down.push(typed(HEALTH, seconds), printed(answer, 5));
  return [calm, switched, down];
}

async function shown(command: string, run: (command: string) => Promise<string>, seconds: number): Promise<Step[]> {
  const output = await run(command);
  return output.trim() === '' ? [typed(command, seconds)] : [typed(command, 0.8), printed(output, seconds)];
}

async function runIn({ configFile }: Lab, command: string): Promise<string> {
  const built = command.replace(/^fleet-mesh /, `${process.execPath} dist/cli.js `);
  const output = await onTerminal(built, { ...process.env, FLEET_MESH_CONFIG: configFile });
  // Shows the usual path of a node, not the temporary directory of the lab.
  return output.replaceAll(configFile, '/etc/fleet-mesh/tunnels.yaml');
}

function said(text: string, seconds: number): Step {
  return { lines: [[{ text: `# ${text}`, style: 'dim' }]], seconds };
}

function typed(command: string, seconds: number): Step {
  const line: Run[] = [
    { text: '$ ', style: 'prompt' },
    { text: command, style: 'bold' },
  ];
  return { lines: [line], seconds };
}

function printed(output: string, seconds: number): Step {
  return { lines: [...linesOf(output, COLUMNS), []], seconds };
}
