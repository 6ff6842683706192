import { type Command, Option } from 'commander';
import type { CommandIo, Ends, ExitCode } from './command.ts';
import { EXIT } from './command.ts';
import { interruptible } from './interruptible.ts';
import { configOption, socketOption } from './options.ts';

interface AddFlags {
  config: string;
  local?: string;
  remote?: string;
  dynamic?: string;
  identity?: string;
  jump?: string;
  actor?: string;
  production: boolean;
  probe: boolean;
  allowRemote: boolean;
  note?: string;
  acceptNew: boolean;
  tryCertCommand: boolean;
  socket?: string;
  timeout: string;
  json: boolean;
}

/** Adds `init` and `add`: from nothing to a tunnel that is up. */
export function addFileCommands(program: Command, ends: Ends, io: CommandIo): void {
  program
    .command('init')
    .description('makes a first tunnel YAML for this machine; never changes an existing file')
    .addOption(configOption())
    .option('--json', 'print {ok, path} as JSON', false)
    .action(
      ends(async (options: { config: string; json: boolean }, command: Command) => {
        const { init } = await import('./init.ts');
        return init({ ...options, isChosen: isChosen(command) }, interruptible(io));
      }),
    );

  program
    .command('add')
    .description('adds a tunnel: host key shown for confirmation, doctor, YAML, reload, waits for up')
    .argument('<name>', 'name of the tunnel')
    .argument('<destination>', '[user@]host[:port] as for ssh, or a host in the file')
    .addOption(
      new Option('-L, --local <forward>', 'listen here: [ADDRESS:]PORT:HOST:PORT').conflicts(['remote', 'dynamic']),
    )
    .addOption(
      new Option('-R, --remote <forward>', 'listen on the host: [ADDRESS:]PORT:HOST:PORT').conflicts([
        'local',
        'dynamic',
      ]),
    )
    .addOption(
      new Option('-D, --dynamic <forward>', 'SOCKS5 here, to every destination: [ADDRESS:]PORT').conflicts([
        'local',
        'remote',
      ]),
    )
    .option(
      '-i, --identity <key>',
      'the private key, or agent (default: the actor in the file, else the usual key in ~/.ssh)',
    )
    .option('-J, --jump <destinations>', 'jump hosts, with commas, from the first')
    .option('--actor <actor>', 'log in as this actor in the file')
    .option('--production', 'production depends on the tunnel', false)
    .option('--no-probe', 'do not check the target of -L with a TCP connection every 10 s')
    .option('--allow-remote', 'with -D: other machines may use the listener', false)
    .option('--note <text>', 'free text, shown in status')
    .option(
      '--accept-new',
      'accept the key of an unknown host without a question; a changed key is never accepted',
      false,
    )
    .option('--try-cert-command', 'run cert_command where no usable certificate is stored', false)
    .addOption(configOption())
    .addOption(socketOption())
    .option('--timeout <duration>', 'how long to wait for up', '60s')
    .option('--json', 'print the outcome as JSON', false)
    .action(
      ends(async (name: string, destination: string, flags: AddFlags, command: Command): Promise<ExitCode> => {
        const { local, remote, dynamic, identity, jump, actor, note, socket, ...rest } = flags;
        const forward = local ?? remote ?? dynamic;
        if (forward === undefined) {
          io.err('fleet-mesh: expected -L, -R or -D, as in: fleet-mesh add db -L 15432:db:5432 user@host\n');
          return EXIT.usage;
        }
        if (rest.allowRemote && dynamic === undefined) {
          io.err('fleet-mesh: --allow-remote is for -D alone; -L and -R listen where their ADDRESS says\n');
          return EXIT.usage;
        }
        const direction = local !== undefined ? 'local' : remote !== undefined ? 'remote' : 'dynamic';
        const { add } = await import('./add.ts');
        return add(
          {
            ...rest,
            name,
            destination,
            direction,
            forward,
            identity,
            jump,
            actor,
            note,
            socket,
            isChosen: isChosen(command),
          },
          interruptible(io),
        );
      }),
    );
}

function isChosen(command: Command): boolean {
  return command.getOptionValueSource('config') !== 'default';
}
