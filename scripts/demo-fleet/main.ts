import { parseArgs } from 'node:util';
import { checkDemo } from './check.ts';
import { requireFreePorts } from './port-owner.ts';
import { say } from './say.ts';
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
  const interrupted = interruption();
  let fleet: DemoFleet | undefined;
  try {
    await requireFreePorts(Object.values(DEMO_PORTS));
    fleet = await startDemoFleet(interrupted);
    if (values.check) await checkDemo(fleet, interrupted);
    else await stay(fleet, interrupted);
    return 0;
  } catch (error) {
    if (interrupted.aborted) {
      say('Interrupted.');
      return values.check ? 130 : 0;
    }
    process.stderr.write(`\nFAIL  ${error instanceof Error ? error.message : String(error)}\n`);
    const log = fleet?.daemon.log().trimEnd().split('\n').slice(-20).join('\n');
    if (log) process.stderr.write(`\nThe daemon's last log lines:\n${log}\n`);
    return 1;
  } finally {
    if (fleet !== undefined) {
      say('Cleaning up: daemon, sshd, stand-ins, temporary files');
      await fleet[Symbol.asyncDispose]();
    }
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`scripts/demo: ${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
  process.exitCode = 64;
}
