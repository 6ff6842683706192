import { createRequire } from 'node:module';
import { Command, CommanderError } from 'commander';
import type { AcceptanceOptions } from './operator/commands/acceptance.ts';
import { check } from './operator/commands/check.ts';
import { type CommandIo, EXIT, type ExitCode } from './operator/commands/command.ts';
import { addControlCommands } from './operator/commands/control-commands.ts';
import { addImportCommands } from './operator/commands/import-commands.ts';
import { addInstallCommands } from './operator/commands/install-commands.ts';
import { interruptible } from './operator/commands/interruptible.ts';
import { configOption } from './operator/commands/options.ts';
import { addPlanCommands } from './operator/commands/plan-commands.ts';
import { SCHEMA_NAMES, schema } from './operator/commands/schema.ts';
import { addWatchCommands } from './operator/commands/watch-commands.ts';

const manifest: unknown = createRequire(import.meta.url)('../package.json');

/** As in package.json, the one place where it is written. */
export const version = String((manifest as { version?: unknown }).version);

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

addWatchCommands(program, ends, io);

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
      return doctor({ name, ...options }, interruptible(io));
    }),
  );

addControlCommands(program, ends, io);

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

addImportCommands(program, ends, io);
addPlanCommands(program, ends, io);
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
