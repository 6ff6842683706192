import { Command } from 'commander';

/** What a line does, after the line itself. */
type Example = readonly [line: string, does: string];

interface Help {
  readonly group: keyof typeof GROUPS;
  readonly examples: readonly [Example, Example];
}

/** In the order of `fleet-mesh --help`. */
const GROUPS = {
  everyday: 'Everyday:',
  certificates: 'Certificates:',
  retirement: 'Retirement of a tunnel:',
  files: 'Files and installation:',
} as const;

/** Every command, in the order of `--help`; subcommands have the words of their command in front. */
const HELP: Readonly<Record<string, Help>> = {
  init: {
    group: 'everyday',
    examples: [
      ['init', 'makes the first file for this machine'],
      ['init --config tunnels.yaml', 'makes it at another place'],
    ],
  },
  add: {
    group: 'everyday',
    examples: [
      ['add db -L 15432:10.0.0.12:5432 fleet@bastion.example.net', 'port 15432 here reaches the database there'],
      [
        'add web -R 8080:127.0.0.1:3000 -i ~/.ssh/atm-web -J bastion inner:2222',
        'port 8080 there reaches this machine',
      ],
    ],
  },
  run: {
    group: 'everyday',
    examples: [
      ['run', 'runs the daemon until Ctrl-C'],
      ['run --config tunnels.yaml', 'runs with another file'],
    ],
  },
  status: {
    group: 'everyday',
    examples: [
      ['status --watch', 'repeats the table until Ctrl-C'],
      ['status db --json', 'prints one tunnel for a script'],
    ],
  },
  fleet: {
    group: 'everyday',
    examples: [
      ['fleet', 'shows every node behind the links'],
      ['fleet --json', 'prints the same for a script'],
    ],
  },
  why: {
    group: 'everyday',
    examples: [
      ['why db', 'says why db is down, and what would fix it'],
      ['why db --json', 'says the same to a script'],
    ],
  },
  events: {
    group: 'everyday',
    examples: [
      ['events --tunnel db --since 24h', 'shows the last day of one tunnel'],
      ['events --follow', 'shows each change as it happens'],
    ],
  },
  wait: {
    group: 'everyday',
    examples: [
      ['wait db --timeout 30s', 'ends with 0 once db is up'],
      ['wait', 'waits for every production tunnel'],
    ],
  },
  doctor: {
    group: 'everyday',
    examples: [
      ['doctor db', 'checks each step on the way of one tunnel'],
      ['doctor --bundle report.tar.gz', 'collects what a bug report needs, without secrets'],
    ],
  },
  reload: {
    group: 'everyday',
    examples: [
      ['reload', 'applies the changed file'],
      ['reload --json', 'prints the outcome for a script'],
    ],
  },
  up: {
    group: 'everyday',
    examples: [
      ['up db', 'puts db back into service'],
      ['up db cache', 'puts two tunnels back into service'],
    ],
  },
  down: {
    group: 'everyday',
    examples: [
      ['down db', 'takes db out of service until `up db` or a restart'],
      ['down db --json', 'prints the outcome for a script'],
    ],
  },
  rotate: {
    group: 'certificates',
    examples: [
      ['rotate atm-fleet-mesh', 'gets a new certificate now; no connection is lost'],
      ['rotate atm-fleet-mesh --json', 'prints the outcome for a script'],
    ],
  },
  plan: {
    group: 'retirement',
    examples: [
      ['plan', 'shows the waves, and what blocks what'],
      ['plan --format inventory', 'prints the placement register as YAML'],
    ],
  },
  'plan approve': {
    group: 'retirement',
    examples: [
      ['plan approve state-hub-cutover --by worsch --evidence "decision 1234"', 'opens a gate'],
      [
        'plan approve state-hub-cutover --by worsch --evidence "ticket 77" --plan drain-plan.yaml',
        'edits another plan',
      ],
    ],
  },
  'plan done': {
    group: 'retirement',
    examples: [
      ['plan done 2.4 --evidence "no client for 7 days"', 'records that a step is done'],
      ['plan done 2.4 --evidence "ticket 78" --json', 'prints the next steps for a script'],
    ],
  },
  cutover: {
    group: 'retirement',
    examples: [
      ['cutover db --dry-run', 'lists the steps and the blockers'],
      ['cutover db', 'moves the port of db to its successor'],
    ],
  },
  rollback: {
    group: 'retirement',
    examples: [
      ['rollback db', 'takes the port back at once'],
      ['rollback db --json', 'prints the outcome for a script'],
    ],
  },
  retire: {
    group: 'retirement',
    examples: [
      ['retire db --wait 24h', 'retires db as soon as nothing blocks'],
      ['retire db --override recent_use --reason "the client is a port scan"', 'overrides one blocker, with a reason'],
    ],
  },
  acceptance: {
    group: 'retirement',
    examples: [
      ['acceptance --offline workstation', 'judges the last 24 hours'],
      ['acceptance --offline workstation --window 48h --out reports', 'writes the report as files'],
    ],
  },
  check: {
    group: 'files',
    examples: [
      ['check', 'lists every mistake of the file and the plan'],
      ['check --config tunnels.yaml --no-plan', 'checks what the daemon needs to start'],
    ],
  },
  schema: {
    group: 'files',
    examples: [
      ['schema config > tunnels.schema.json', 'lets an editor complete the file'],
      ['schema status', 'describes the JSON of `status`'],
    ],
  },
  import: {
    group: 'files',
    examples: [
      ['import ssh-unit /etc/systemd/system/db-tunnel.service', 'translates a unit'],
      ['import ssh-config bastion', 'translates a host of ssh_config'],
    ],
  },
  'import ssh-unit': {
    group: 'files',
    examples: [
      ['import ssh-unit /etc/systemd/system/db-tunnel.service > tunnels.yaml', 'writes the YAML into a file'],
      ['import ssh-unit ~/.config/systemd/user/*.service', 'translates several units'],
    ],
  },
  'import ssh-config': {
    group: 'files',
    examples: [
      ['import ssh-config bastion > tunnels.yaml', 'writes the YAML into a file'],
      ['import ssh-config bastion db --ssh-config ./config', 'reads another ssh_config'],
    ],
  },
  'import ops-bridge': {
    group: 'files',
    examples: [
      ['import ops-bridge ~/.config/bridge/tunnels.yaml > tunnels.yaml', 'writes the YAML into a file'],
      ['import ops-bridge tunnels.yaml --json', 'prints the YAML and every remark for a script'],
    ],
  },
  install: {
    group: 'files',
    examples: [
      ['install --dry-run', 'shows every file and command, and changes nothing'],
      ['install --user', 'installs for the current user'],
    ],
  },
  uninstall: {
    group: 'files',
    examples: [
      ['uninstall --dry-run', 'shows what would go'],
      ['uninstall --user', 'removes the installation of the current user'],
    ],
  },
  completion: {
    group: 'files',
    examples: [
      ['completion bash > ~/.local/share/bash-completion/completions/fleet-mesh', 'completes in every new bash'],
      ['completion zsh > ~/.zfunc/_fleet-mesh', 'completes in zsh, with ~/.zfunc in fpath before compinit'],
    ],
  },
};

/** The examples of a command by its words; none for commands of commander itself. */
export function examplesOf(words: string): readonly Example[] {
  return Object.hasOwn(HELP, words) ? (HELP[words]?.examples ?? []) : [];
}

/** Groups the commands in `--help`, and adds the examples to the help of each. */
export function addHelp(program: Command): void {
  const rank = (command: Command) => {
    const at = Object.keys(HELP).indexOf(command.name());
    return at === -1 ? Number.POSITIVE_INFINITY : at;
  };
  (program.commands as Command[]).sort((a, b) => rank(a) - rank(b));
  for (const command of program.commands) describe(command, program.name(), []);
  const help = new Command('help').argument('[command]').description('display help for command');
  program.addHelpCommand(help.helpGroup(GROUPS.files));
}

function describe(command: Command, program: string, before: readonly string[]): void {
  const words = [...before, command.name()];
  const known = HELP[words.join(' ')];
  if (known && before.length === 0) command.helpGroup(GROUPS[known.group]);
  const lines = examplesOf(words.join(' ')).map(([line, does]) => `  ${program} ${line}\n      ${does}`);
  if (lines.length > 0) command.addHelpText('after', `\nExamples:\n${lines.join('\n')}`);
  for (const each of command.commands) describe(each, program, words);
}
