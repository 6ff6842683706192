import {
  type ArgumentOutline,
  type CommandOutline,
  leavesOf,
  type OptionOutline,
} from '../../../src/operator/commands/completion/outline.ts';
import { ENVIRONMENT, EXIT_STATUS, FILES, SIGNALS } from '../../reference/command-facts.ts';
import { bold, entry, italic, page, prose, section, subsection, verbatim } from './roff.ts';

const UNITS = `systemctl enable --now fleet-mesh-forward@18000.socket fleet-mesh
systemctl reload fleet-mesh
journalctl -u fleet-mesh -o cat`;

/** fleet-mesh(1), generated from the commands of the program. */
export function commandPage(program: CommandOutline, version: string, date: string): string {
  return page({ name: program.name, section: 1, date, version, manual: 'User Commands' }, [
    section('Name', `fleet\\-mesh \\- ${prose('keeps the SSH tunnels of a fleet node alive and explains failures')}`),
    section('Synopsis', ...leavesOf(program).map(([words, command]) => synopsis([program.name, ...words], command))),
    section(
      'Description',
      prose(program.description),
      '.PP',
      prose('The daemon is `fleet-mesh run`; all other commands ask the daemon, command it, or work without it.'),
      prose('One YAML file lists the tunnels: see fleet-mesh-tunnels(5).'),
    ),
    section('Commands', ...leavesOf(program).map(([words, command]) => about(words.join(' '), command))),
    section('Options of the program itself', ...program.options.map(optionEntry)),
    section('Exit status', ...EXIT_STATUS.map(([code, text]) => entry(bold(code), prose(text)))),
    section(
      'Signals',
      prose('The daemon reacts to these signals.'),
      ...SIGNALS.map(([name, text]) => entry(bold(name), prose(text))),
    ),
    section('Environment', ...ENVIRONMENT.map(([name, text]) => entry(bold(name), prose(text)))),
    section('Files', ...FILES.map(([name, text]) => entry(italic(name), prose(text)))),
    section(
      'systemd',
      prose('The unit is fleet-mesh.service, for the system and for users. The installation starts nothing.'),
      prose('A port with a socket unit stays open during a restart or an upgrade of the daemon: its clients wait.'),
      verbatim(UNITS),
    ),
    section('See also', prose('fleet-mesh-tunnels(5), ssh(1), sshd_config(5), systemctl(1)')),
  ]);
}

function synopsis(words: readonly string[], command: CommandOutline): string {
  const options = command.options.length === 0 ? [] : ['[\\fIoptions\\fR]'];
  return ['.PP', [bold(words.join(' ')), ...options, ...command.arguments.map(argumentUsage)].join(' ')].join('\n');
}

function about(name: string, command: CommandOutline): string {
  return subsection(
    [name, ...command.arguments.map(({ usage }) => usage)].join(' '),
    prose(command.description),
    ...command.arguments
      .filter(({ description }) => description !== '')
      .map((argument) => entry(argumentUsage(argument), prose(argument.description))),
    ...command.options.map(optionEntry),
  );
}

function argumentUsage({ name, usage }: ArgumentOutline): string {
  return usage.split(name).map(prose).join(italic(name));
}

function optionEntry({ short, long, value, description, default: otherwise }: OptionOutline): string {
  const names = [short, long].flatMap((name) => (name === undefined ? [] : [bold(name)])).join(', ');
  const tag = value === undefined ? names : `${names} ${italic(value)}`;
  return entry(tag, prose(otherwise === undefined ? description : `${description} (default: ${otherwise})`));
}
