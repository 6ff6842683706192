import { parseArgs } from 'node:util';
import { checkDemo } from './check.ts';
import type { Pace } from './coulombcore.ts';
import { startDrainFleet } from './drain/fleet.ts';
import { playDrain } from './drain/play.ts';
import { requireFreePorts } from './port-owner.ts';
import { anyPorts, type DemoPorts, REAL_PORTS } from './ports.ts';
import { print, say } from './say.ts';
import { startDemoFleet } from './start.ts';
import { Started } from './started.ts';
import { stay } from './stay.ts';

const USAGE = `usage: scripts/demo [--drain] [--check] [--any-ports]

Starts a small fleet on loopback, shows a static key and rotating certificates, and runs until Ctrl-C.

  --drain      show wave 2 of the drain plan instead, from the first blockers to a retired tunnel; ends by itself
  --check      check every step without pauses; exit 0 or 1
  --any-ports  use free ports, not 18000, 18765 and 9780: for a machine with a daemon or another demo
`;

/** For a reader: certificates live for a minute. */
const SHOWN: Pace = { lifeSeconds: 60, renewAfter: 0.5 };
/** For a quick check: a new certificate every 1.5 s. */
const CHECKED: Pace = { lifeSeconds: 10, renewAfter: 0.15 };

/** The first signal ends the demo and cleans up; a second one ends the process and its children at once. */
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

interface Run {
  readonly ports: DemoPorts;
  readonly check: boolean;
  readonly interrupted: AbortSignal;
  /** Ends everything that was started. */
  readonly started: Started;
  /** The passed steps, one line each. */
  readonly passed: string[];
  /** Registers the log of the daemon. */
  keepLog(log: () => string): void;
}

/** Returns a summary in a sentence. */
async function runCredentialDemo({ ports, check, interrupted, started, passed, keepLog }: Run): Promise<string> {
  const fleet = started.use(await startDemoFleet({ ports, ...(check ? CHECKED : SHOWN) }, interrupted));
  keepLog(() => fleet.daemon.log());
  if (!check) return stay(fleet, interrupted);
  await checkDemo(fleet, interrupted, passed);
  return '';
}

/** Returns a summary in a sentence. */
async function runDrainDemo({ ports, check, interrupted, started, passed, keepLog }: Run): Promise<string> {
  const fleet = started.use(await startDrainFleet(ports, interrupted));
  keepLog(() => fleet.daemon.log());
  return playDrain(fleet, { live: !check, interrupted }, passed);
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      drain: { type: 'boolean' },
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
  const started = new Started();
  const passed: string[] = [];
  let logOf = () => '';
  let summary = '';
  let failure: unknown;
  try {
    await requireFreePorts(Object.values(ports));
    const keepLog = (log: () => string) => {
      logOf = log;
    };
    const run = { ports, check: values.check === true, interrupted, started, passed, keepLog };
    summary = await (values.drain ? runDrainDemo(run) : runCredentialDemo(run));
  } catch (error) {
    failure = error;
  }
  const log = logOf();
  if (!started.isEmpty) say('Cleaning up: daemon, sshd, test servers, temporary files');
  await started[Symbol.asyncDispose]();
  if (interrupted.aborted) {
    say('Ended.');
    if (summary !== '') print(`   ${summary}`);
    return values.check ? 130 : 0;
  }
  if (failure === undefined) {
    await requireFreePorts(Object.values(ports));
    say('Result');
    print([...passed, 'PASS  Clean-up: all programs have ended, the ports are free'].join('\n'));
    return 0;
  }
  if (passed.length > 0) print(`\n${passed.join('\n')}`);
  process.stderr.write(`\nFAIL  ${messageOf(failure)}\n`);
  if (log !== '')
    process.stderr.write(`\nLast log lines of the daemon:\n${log.trimEnd().split('\n').slice(-20).join('\n')}\n`);
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
