import { parseArgs } from 'node:util';
import { checkDemo } from './check.ts';
import { requireFreePorts } from './port-owner.ts';
import { print, say } from './say.ts';
import { DEMO_PORTS, type DemoFleet, startDemoFleet } from './start.ts';
import { stay } from './stay.ts';

const USAGE = `usage: scripts/demo [--check]

Starts a small fleet on loopback and stays until Ctrl-C; with --check it proves that fleet and ends.
`;

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
  const { values } = parseArgs({ options: { check: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } } });
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const ports = Object.values(DEMO_PORTS);
  const interrupted = interruption();
  let fleet: DemoFleet | undefined;
  const passed: string[] = [];
  let failure: unknown;
  try {
    await requireFreePorts(ports);
    fleet = await startDemoFleet(interrupted);
    if (values.check) await checkDemo(fleet, interrupted, passed);
    else await stay(fleet, interrupted);
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
    return values.check ? 130 : 0;
  }
  if (failure === undefined) {
    await requireFreePorts(ports);
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
