import { createRequire } from 'node:module';
import { Command, CommanderError } from 'commander';
import { errnoOf } from './base/errors.ts';
import { visible } from './base/text/printable.ts';
import type { AcceptanceOptions } from './operator/commands/acceptance.ts';
import { addFileCommands } from './operator/commands/add-commands.ts';
import { type CommandIo, EXIT, type ExitCode } from './operator/commands/command.ts';
import { addCompletionCommand, offer } from './operator/commands/completion/commands.ts';
import { addControlCommands } from './operator/commands/control-commands.ts';
import { hangUp } from './operator/commands/hang-up.ts';
import { addHelp } from './operator/commands/help.ts';
import { helpRequest } from './operator/commands/help-request.ts';
import { addImportCommands } from './operator/commands/import-commands.ts';
import { addInstallCommands } from './operator/commands/install-commands.ts';
import { interruptible } from './operator/commands/interruptible.ts';
import { JsonFailure } from './operator/commands/json-failure.ts';
import { configOption } from './operator/commands/options.ts';
import { addPlanCommands } from './operator/commands/plan-commands.ts';
import { SCHEMA_NAMES } from './operator/commands/schema-names.ts';
import { colourOption, takeColour, terminal } from './operator/commands/terminal.ts';
import { addWatchCommands } from './operator/commands/watch-commands.ts';

/** The escape character of our own colours, see operator/text/paint.ts. */
const COLOUR = '\x1b';

const manifest: unknown = createRequire(import.meta.url)('../package.json');

/** The version in package.json, the one place where the version is written. */
export const version = String((manifest as { version?: unknown }).version);

/** Names and messages of others cannot play with the terminal, whatever command shows them. */
const screen: CommandIo = {
  out: (text) => process.stdout.write(visible(text, mayColour() ? COLOUR : '')),
  err: (text) => process.stderr.write(visible(text)),
};

/** Replaced for each run of the program. */
let heard = screen;

const io: CommandIo = { out: (text) => heard.out(text), err: (text, code) => heard.err(text, code) };

/**
 * Every command, as commander knows it: manual pages and completions are made from this object. Commands that need parts of
 * the daemon load them when they run: a `status` in a loop should not pay for them.
 */
export const program = new Command('fleet-mesh')
  .description("Keeps a fleet node's SSH tunnels alive, proves them, and says what is wrong in words.")
  .version(version)
  .addOption(colourOption())
  .exitOverride()
  .configureOutput({ writeOut: (text) => io.out(text), writeErr: (text) => io.err(text) })
  .configureHelp({ showGlobalOptions: true })
  .showHelpAfterError('(add --help to list commands and options)');

/** A watch on a terminal moves the cursor, with or without colours. */
function mayColour(): boolean {
  const { isTty, colour } = terminal();
  return isTty || colour;
}

interface DoctorFlags {
  readonly config: string;
  readonly tryCertCommand: boolean;
  readonly bundle?: string;
  readonly listen: boolean;
  readonly json: boolean;
}

let exitCode: ExitCode = EXIT.ok;

/** The result of a command is the exit code of the program. A throw is a bug. */
function ends<Args extends unknown[]>(run: (...args: Args) => ExitCode | Promise<ExitCode>) {
  return async (...args: Args): Promise<void> => {
    exitCode = await run(...args);
  };
}

program
  .command('run')
  .description('runs the daemon in the foreground')
  .addOption(configOption())
  .action(
    ends(async ({ config }: { config: string }) => (await import('./daemon/run.ts')).run({ config, version }, io)),
  );

program
  .command('check')
  .description('validates configuration, plan and policy; lists all problems; uses no network')
  .addOption(configOption())
  .option('--json', 'print {ok, problems, warnings} as JSON', false)
  .option('--no-plan', 'check only the parts that the daemon needs to start: no plan, no policy')
  .action(
    ends(async (options: { config: string; json: boolean; plan: boolean }) => {
      const { check } = await import('./operator/commands/check.ts');
      return check(options, io);
    }),
  );

const schemaCommand = program
  .command('schema')
  .description('prints a JSON Schema')
  .argument('<name>', 'the schema')
  .action(ends(async (name: string) => (await import('./operator/commands/schema.ts')).schema(name, io)));
offer(schemaCommand, SCHEMA_NAMES);

addWatchCommands(program, ends, { ...io, version });

program
  .command('doctor')
  .description('checks each step from DNS to the target, without the daemon, and says how to fix the first failure')
  .argument('[name]', 'one host or tunnel (default: all)')
  .addOption(configOption())
  .option(
    '--try-cert-command',
    'run cert_command where no usable certificate is stored; the new certificate is not stored',
    false,
  )
  .option(
    '--bundle <file>',
    'write a new .tar.gz for a bug report: findings, configuration, status, metrics, events, versions',
  )
  .option('--no-listen', 'do not check who holds the listen ports: for ports that are about to be taken over')
  .option('--json', 'print the findings as JSON', false)
  .action(
    ends(async (name: string | undefined, options: DoctorFlags) => {
      const { bundle: file, ...rest } = options;
      if (file !== undefined) {
        const { bundle } = await import('./operator/commands/bundle.ts');
        return bundle({ name, ...rest, bundle: file, version }, interruptible(io));
      }
      const { doctor } = await import('./operator/commands/doctor.ts');
      return doctor({ name, ...rest }, interruptible(io));
    }),
  );

addControlCommands(program, ends, io);

program
  .command('acceptance')
  .description('reports whether production ran without a host, according to the evidence; reads only files')
  .addOption(configOption())
  .requiredOption('--offline <host>', 'the host that was offline')
  .option('--window <duration>', 'how long the host was offline, e.g. 24h', '24h')
  .option('--until <when>', 'end of the window: a time, or a span before now (default: now)')
  .option('--dir <directory>', 'the state directory (default: state_dir in --config)')
  .option('--out <directory>', 'write the report to this directory, as Markdown and JSON')
  .option('--json', 'print the report as JSON', false)
  .action(
    ends(async (options: AcceptanceOptions) => {
      const { acceptance } = await import('./operator/commands/acceptance.ts');
      return acceptance(options, { ...io, env: process.env, version });
    }),
  );

addFileCommands(program, ends, io);
addImportCommands(program, ends, io);
addPlanCommands(program, ends, io);
addInstallCommands(program, ends, io);
addCompletionCommand(program, ends, io);
addHelp(program);

/** Runs the command that the arguments name; settles with its exit code. */
export async function main(argv: readonly string[]): Promise<ExitCode> {
  const failure = new JsonFailure(argv.slice(2));
  heard = failure.listen(screen);
  const code = await perform(argv);
  const missing = failure.missing(code);
  if (missing !== undefined) screen.out(missing);
  return code;
}

async function perform(argv: readonly string[]): Promise<ExitCode> {
  exitCode = EXIT.ok;
  // Nobody reads the messages, and the exit code still tells the result.
  process.stderr.on('error', () => {});
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // A reader that goes away (`fleet-mesh schema config | head`) is no failure of ours.
    if (error.code === 'EPIPE') return;
    if (error.code === 'EIO' && process.stdout.isTTY) hangUp();
    io.err(`fleet-mesh: standard output cannot be written: ${error.message}\n`);
    process.exit(EXIT.failed);
  });
  try {
    const taken = takeColour(argv);
    if ('wrong' in taken) {
      io.err(`fleet-mesh: --color ${JSON.stringify(taken.wrong)} is unknown; expected auto, always or never\n`);
      return EXIT.usage;
    }
    const request = helpRequest(program, taken.argv.slice(2));
    if ('wrong' in request) {
      io.err(request.wrong);
      return EXIT.usage;
    }
    await program.parseAsync(request.argv, { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    if (errnoOf(error) === 'EMFILE') {
      io.err(
        'fleet-mesh: this process may open too few files\nRaise `ulimit -n` to 1024, or LimitNOFILE= of the unit.\n',
        'EMFILE',
      );
      return EXIT.failed;
    }
    io.err(
      `fleet-mesh: internal error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
      'internal',
    );
    return EXIT.failed;
  }
}
