import { parseArgs } from 'node:util';
import { checkDemo } from './check.ts';
import type { Pace } from './coulombcore.ts';
import { requireFreePorts } from './port-owner.ts';
import { anyPorts, REAL_PORTS } from './ports.ts';
import { print, say } from './say.ts';
import { type DemoFleet, startDemoFleet } from './start.ts';
import { stay } from './stay.ts';

const USAGE = `usage: scripts/demo [--check] [--any-ports]

Starts a small fleet on loopback, tells the story of its credentials, and stays until Ctrl-C.

  --check      proves that story and the fleet, and ends with 0 or 1
  --any-ports  free ports instead of the usual ones (18000, 18765, 9780): beside a real daemon or another demo
`;

/** To look at: certificates of a minute. */
const SHOWN: Pace = { lifeSeconds: 60, renewAfter: 0.5 };
/** To be done with soon: another certificate every 1.5 s. */
const CHECKED: Pace = { lifeSeconds: 10, renewAfter: 0.15 };

/** One signal ends whatever is under way and cleans up; a second one ends at once (what we started dies with us). */
function interruption(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(130);
      controller.abort(new Error(`interrupted by ${name}`));
    });
  }
  return controller.signal;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      check: { type: 'boolean' },
      'any-ports': { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const ports = values['any-ports'] ? await anyPorts() : REAL_PORTS;
  const interrupted = interruption();
  let fleet: DemoFleet | undefined;
  const passed: string[] = [];
  let summary: string | undefined;
  let failure: unknown;
  try {
    await requireFreePorts(Object.values(ports));
    fleet = await startDemoFleet({ ports, ...(values.check ? CHECKED : SHOWN) }, interrupted);
    if (values.check) await checkDemo(fleet, interrupted, passed);
    else summary = await stay(fleet, interrupted);
  } catch (error) {
    failure = error;
  }
  const log = fleet?.daemon.log() ?? '';
  if (fleet !== undefined) {
    say('Cleaning up: daemon, sshd, stand-ins, temporary files');
    await fleet[Symbol.asyncDispose]();
  }
  if (interrupted.aborted) {
    say('Ended.');
    if (summary !== undefined) print(`   ${summary}`);
    return values.check ? 130 : 0;
  }
  if (failure === undefined) {
    await requireFreePorts(Object.values(ports));
    say('Result');
    print([...passed, 'PASS  Clean-up: everything is ended, the ports are free again'].join('\n'));
    return 0;
  }
  if (passed.length > 0) print(`\n${passed.join('\n')}`);
  process.stderr.write(`\nFAIL  ${messageOf(failure)}\n`);
  if (log !== '')
    process.stderr.write(`\nThe daemon's last log lines:\n${log.trimEnd().split('\n').slice(-20).join('\n')}\n`);
  return 1;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`scripts/demo: ${messageOf(error)}\n\n${USAGE}`);
  process.exitCode = 64;
}
