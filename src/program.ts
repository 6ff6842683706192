import { createRequire } from 'node:module';
import { Command, CommanderError, Option } from 'commander';
import { loadConfig } from './config/load.ts';
import { defaultConfigPath, outsideOfUnit } from './config/paths.ts';
import type { AcceptanceOptions } from './operator/commands/acceptance.ts';
import { check } from './operator/commands/check.ts';
import { type CommandIo, EXIT, type ExitCode } from './operator/commands/command.ts';
import { down, reload, rotate, up } from './operator/commands/control.ts';
import { cutover, rollback } from './operator/commands/cutover.ts';
import { type EventsOptions, events } from './operator/commands/events.ts';
import { addInstallCommands } from './operator/commands/install-commands.ts';
import { addPlanCommands } from './operator/commands/plan-commands.ts';
import { type RetireOptions, retire } from './operator/commands/retire.ts';
import { SCHEMA_NAMES, schema } from './operator/commands/schema.ts';
import { statusCommand } from './operator/commands/status.ts';
import { verifyEvents } from './operator/commands/verify-events.ts';
import { wait } from './operator/commands/wait.ts';
import { why } from './operator/commands/why.ts';

const manifest: unknown = createRequire(import.meta.url)('../package.json');

/** As in package.json, the one place where it is written. */
export const version = String((manifest as { version?: unknown }).version);

interface AskFlags {
  config: string;
  endpoint?: string;
  json: boolean;
}

interface ControlFlags {
  config: string;
  socket?: string;
  json: boolean;
}

const io: CommandIo = {
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
};

/**
 * Every command, as commander knows it: manual pages and completions are made from it. Those that need what the daemon is made
 * of load it when they run: a `status` in a loop should not pay for it.
 */
export const program = new Command('fleet-mesh')
  .description("Keeps a fleet node's SSH tunnels alive, proves them, and says what is wrong in words.")
  .version(version)
  .exitOverride()
  .configureHelp({ showGlobalOptions: true })
  .showHelpAfterError('(add --help for what there is)');

const configOption = () =>
  new Option('-c, --config <file>', 'the tunnel YAML').default(
    defaultConfigPath(process.env),
    '$FLEET_MESH_CONFIG, else /etc/fleet-mesh/tunnels.yaml, else ~/.config/fleet-mesh/tunnels.yaml',
  );

let exitCode: ExitCode = EXIT.ok;

/** Its result is the exit code; what it throws is a bug. */
function ends<Args extends unknown[]>(run: (...args: Args) => ExitCode | Promise<ExitCode>) {
  return async (...args: Args): Promise<void> => {
    exitCode = await run(...args);
  };
}

program
  .command('run')
  .description('the daemon, in the foreground')
  .addOption(configOption())
  .action(
    ends(async ({ config }: { config: string }) => (await import('./daemon/run.ts')).run({ config, version }, io)),
  );

program
  .command('check')
  .description('validates configuration, plan and policy: all problems at once; touches no network')
  .addOption(configOption())
  .option('--json', 'print {ok, problems, warnings} as JSON', false)
  .option('--no-plan', 'only what the daemon needs to start: neither the plan nor the policy')
  .action(ends((options: { config: string; json: boolean; plan: boolean }) => check(options, io)));

program
  .command('schema')
  .description('prints a JSON Schema')
  .argument('<name>', SCHEMA_NAMES.join(', '))
  .action(ends((name: string) => schema(name, io)));

const endpointOption = () =>
  new Option('--endpoint <address>', "the daemon's endpoint, host:port or URL (default: the one that --config names)");
const socketOption = () =>
  new Option(
    '--socket <path>',
    "the daemon's control socket (default: the one that --config names, else the usual ones)",
  );
const endpointOf = async (path: string) => (await loadConfig(path, outsideOfUnit(process.env))).endpoint.listen;

/** Aborts with Ctrl-C, and when whoever read the output is gone (`status --watch | head -1`). */
function interruption(): AbortSignal {
  const interrupted = new AbortController();
  process.once('SIGINT', () => interrupted.abort(new Error('interrupted')));
  process.stdout.once('error', (error) => interrupted.abort(error));
  return interrupted.signal;
}

const interruptible = () => ({ ...io, signal: interruption(), env: process.env });

program
  .command('status')
  .description('what is: tunnels, links, sessions, and the reasons')
  .argument('[name]', 'one tunnel instead of all')
  .addOption(configOption())
  .addOption(endpointOption())
  .option('--json', 'print the snapshot as JSON', false)
  .option('--watch', 'go on, until Ctrl-C', false)
  .action(
    ends(async (name: string | undefined, options: AskFlags & { watch: boolean }) => {
      const { isTTY, columns } = process.stdout;
      return statusCommand(
        { name, ...options, endpointOf },
        { ...io, isTty: isTTY === true, columns, signal: interruption() },
      );
    }),
  );

program
  .command('why')
  .description('explains one tunnel: since when, because of what, what happens next, what would fix it')
  .argument('<name>', 'the tunnel')
  .addOption(configOption())
  .addOption(endpointOption())
  .option('--json', 'print the explanation as JSON', false)
  .action(ends((name: string, options: AskFlags) => why({ name, ...options, endpointOf }, interruptible())));

program
  .command('events')
  .description('what has happened, out of the evidence; --verify: whether that is as it was written')
  .addOption(configOption())
  .addOption(endpointOption())
  .option('--follow', 'go on with what happens, until Ctrl-C', false)
  .option('--tunnel <name>', 'only what is said of this one')
  .option('--since <when>', 'a time, or a span before now as in 30m, 24h, 7d')
  .option('--verify', 'check the chain of the files, without the daemon: 0 intact, 1 not, 2 there is none', false)
  .option('--dir <directory>', 'for --verify: the state directory (default: the one that --config names)')
  .option('--json', 'print JSON; with --follow one entry a line', false)
  .action(
    ends((options: AskFlags & EventsOptions & { verify: boolean; dir?: string }) =>
      options.verify ? verifyEvents(options, interruptible()) : events({ ...options, endpointOf }, interruptible()),
    ),
  );

program
  .command('wait')
  .description('blocks until tunnels are up, or may be retired')
  .argument('[name...]', 'the tunnels (default: those of production, or all where none is)')
  .addOption(configOption())
  .addOption(endpointOption())
  .option('--for <condition>', 'up or retirable', 'up')
  .option('--timeout <duration>', 'how long, as in 500ms, 60s, 5m', '60s')
  .option('--json', 'print {ok, for, waited_ms, reasons} as JSON', false)
  .action(
    ends((names: string[], options: AskFlags & { for: string; timeout: string }) =>
      wait({ names, ...options, endpointOf }, interruptible()),
    ),
  );

program
  .command('doctor')
  .description('walks DNS, TCP, banner, host key, authentication, forward, target, by itself, and says what to mend')
  .argument('[name]', 'a host or a tunnel instead of all')
  .addOption(configOption())
  .option(
    '--try-cert-command',
    'run cert_command where no certificate is kept that can be used; nothing is kept',
    false,
  )
  .option('--json', 'print what was found as JSON', false)
  .action(
    ends(async (name: string | undefined, options: { config: string; tryCertCommand: boolean; json: boolean }) => {
      const { doctor } = await import('./operator/commands/doctor.ts');
      return doctor({ name, ...options }, interruptible());
    }),
  );

program
  .command('reload')
  .description('has the daemon read its configuration again, and waits for the outcome')
  .addOption(configOption())
  .addOption(socketOption())
  .option('--json', 'print the outcome as JSON', false)
  .action(ends((options: ControlFlags) => reload(options, interruptible())));

program
  .command('up')
  .description('takes tunnels back into service')
  .argument('<name...>', 'the tunnels')
  .addOption(configOption())
  .addOption(socketOption())
  .option('--json', 'print the outcome as JSON', false)
  .action(ends((names: string[], options: ControlFlags) => up(names, options, interruptible())));

program
  .command('down')
  .description('takes tunnels out of service: nothing listens, open connections get stop_grace')
  .argument('<name...>', 'the tunnels')
  .addOption(configOption())
  .addOption(socketOption())
  .option('--json', 'print the outcome as JSON', false)
  .action(ends((names: string[], options: ControlFlags) => down(names, options, interruptible())));

program
  .command('rotate')
  .description('has an actor take on a new credential now, make before break')
  .argument('<actor>', 'the actor')
  .addOption(configOption())
  .addOption(socketOption())
  .option('--json', 'print the outcome as JSON', false)
  .action(ends((actor: string, options: ControlFlags) => rotate(actor, options, interruptible())));

const collect = (value: string, before: string[]) => [...before, value];

program
  .command('retire')
  .description('ends the SSH forward of a tunnel for good, once nothing speaks against it (see why NAME)')
  .argument('<name>', 'the tunnel')
  .addOption(configOption())
  .addOption(socketOption())
  .option('--dry-run', 'only say what would be done, and what speaks against it', false)
  .option('--wait <duration>', 'try until it may go, as in 24h; ends early where waiting does not help')
  .option('--override <code>', 'take on a blocker; each with a --reason, in the same order', collect, [])
  .option('--reason <text>', 'why it is overridden: kept as evidence', collect, [])
  .option('--json', 'print the outcome as JSON', false)
  .action(ends((name: string, options: ControlFlags & RetireOptions) => retire(name, options, interruptible())));

program
  .command('cutover')
  .description('moves the local port of a tunnel to its successor, without its clients noticing')
  .argument('<name>', 'the tunnel')
  .addOption(configOption())
  .addOption(socketOption())
  .option('--dry-run', 'only say what would be done, and what is against it now', false)
  .option('--json', 'print the outcome as JSON', false)
  .action(ends((name: string, options: ControlFlags & { dryRun: boolean }) => cutover(name, options, interruptible())));

program
  .command('rollback')
  .description('the way back of a cut-over: new connections go through the tunnel again, at once')
  .argument('<name>', 'the tunnel')
  .addOption(configOption())
  .addOption(socketOption())
  .option('--json', 'print the outcome as JSON', false)
  .action(ends((name: string, options: ControlFlags) => rollback(name, options, interruptible())));

program
  .command('acceptance')
  .description('whether the evidence proves that production did without a host: a report to be filed, from files alone')
  .addOption(configOption())
  .requiredOption('--offline <host>', 'the host that was away')
  .option('--window <duration>', 'for how long, as in 24h', '24h')
  .option('--until <when>', 'judge as of a time, or a span before now, instead of now')
  .option('--dir <directory>', 'the state directory (default: the one that --config names)')
  .option('--out <directory>', 'file the report there, as Markdown and JSON')
  .option('--json', 'print the report as JSON', false)
  .action(
    ends(async (options: AcceptanceOptions) => {
      const { acceptance } = await import('./operator/commands/acceptance.ts');
      return acceptance(options, { ...io, env: process.env, version });
    }),
  );

const importing = program
  .command('import')
  .description('turns what ssh does today into tunnel YAML, on standard output');

importing
  .command('ssh-unit')
  .description('systemd units that run ssh -N -L, -R or -D')
  .argument('<file...>', 'unit files')
  .option('--json', 'print {ok, yaml, remarks, failures, problems} as JSON', false)
  .action(
    ends(async (files: string[], options: { json: boolean }) => {
      const { importUnits } = await import('./operator/commands/import.ts');
      return importUnits(files, options, interruptible());
    }),
  );

importing
  .command('ssh-config')
  .description('hosts of ssh_config, resolved by `ssh -G`')
  .argument('<host...>', 'host names as ssh takes them')
  .option('--ssh-config <file>', "another file than the user's and the system's")
  .option('--json', 'print {ok, yaml, remarks, failures, problems} as JSON', false)
  .action(
    ends(async (hosts: string[], options: { json: boolean; sshConfig?: string }) => {
      const { importHosts } = await import('./operator/commands/import.ts');
      return importHosts(hosts, options, interruptible());
    }),
  );

addPlanCommands(program, configOption, ends, io);
addInstallCommands(program, ends, io);

/** Runs the command that the arguments name; settles with its exit code (SPEC section 8). */
export async function main(argv: readonly string[]): Promise<ExitCode> {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // A reader that goes away (`fleet-mesh schema config | head`) is no failure of ours.
    if (error.code === 'EPIPE') return;
    io.err(`fleet-mesh: standard output cannot be written: ${error.message}\n`);
    process.exit(EXIT.failed);
  });
  try {
    await program.parseAsync(argv);
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    io.err(`fleet-mesh: internal error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    return EXIT.failed;
  }
}
