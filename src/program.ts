import { Command, CommanderError, Option } from 'commander';
import { check } from './commands/check.ts';
import { type CommandIo, EXIT, type ExitCode } from './commands/command.ts';
import { addPlanCommands } from './commands/plan-commands.ts';
import { run } from './commands/run.ts';
import { SCHEMA_NAMES, schema } from './commands/schema.ts';
import { statusCommand } from './commands/status.ts';
import { defaultConfigPath } from './config/default-path.ts';
import { loadConfig } from './config/load.ts';
import { outsideOfUnit } from './config/paths.ts';
import { version } from './version.ts';

interface StatusFlags {
  config: string;
  endpoint?: string;
  json: boolean;
  watch: boolean;
}

const io: CommandIo = {
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
};

const program = new Command('fleet-mesh')
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
  .action(ends((options: { config: string }) => run({ config: options.config, version }, io)));

program
  .command('check')
  .description('validates the configuration: all problems at once; touches no network')
  .addOption(configOption())
  .option('--json', 'print {ok, problems, warnings} as JSON', false)
  .action(ends((options: { config: string; json: boolean }) => check(options, io)));

program
  .command('schema')
  .description('prints a JSON Schema')
  .argument('<name>', SCHEMA_NAMES.join(', '))
  .action(ends((name: string) => schema(name, io)));

program
  .command('status')
  .description('what is: tunnels, links, sessions, and the reasons')
  .argument('[name]', 'one tunnel instead of all')
  .addOption(configOption())
  .option('--endpoint <address>', "the daemon's endpoint, host:port or URL (default: the one that --config names)")
  .option('--json', 'print the snapshot as JSON', false)
  .option('--watch', 'go on, until Ctrl-C', false)
  .action(
    ends(async (name: string | undefined, options: StatusFlags) => {
      const interrupted = new AbortController();
      process.once('SIGINT', () => interrupted.abort());
      // Whoever read it is gone (`status --watch | head -1`): the system says so at the next line.
      process.stdout.once('error', () => interrupted.abort());
      const { isTTY, columns } = process.stdout;
      const endpointOf = async (path: string) => (await loadConfig(path, outsideOfUnit(process.env))).endpoint.listen;
      return statusCommand(
        { name, ...options, endpointOf },
        { ...io, isTty: isTTY === true, columns, signal: interrupted.signal },
      );
    }),
  );

addPlanCommands(program, configOption, ends, io);

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
