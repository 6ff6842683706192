import { EXIT } from '../../src/operator/commands/command.ts';

/** A name, and one sentence about it. */
type Fact = readonly [name: string, text: string];

const EXIT_MEANINGS: Readonly<Record<keyof typeof EXIT, string>> = {
  ok: 'Yes, or done.',
  failed: 'No, or failed.',
  unknown: 'The daemon cannot be reached, or cannot tell.',
  timeout: 'The time limit of `wait` passed.',
  noSuchTunnel: 'No tunnel, host or actor has this name.',
  usage: 'The command line is wrong.',
  configuration: 'The configuration cannot be used. systemd does not restart the daemon on this code.',
};

/** The meaning of each exit code, for every command. */
export const EXIT_STATUS: readonly Fact[] = Object.entries(EXIT).map(([name, code]) => [
  String(code),
  EXIT_MEANINGS[name as keyof typeof EXIT],
]);

/** Files that an operator meets. */
export const FILES: readonly Fact[] = [
  ['/etc/fleet-mesh/tunnels.yaml', 'The configuration of the system unit.'],
  ['/etc/fleet-mesh/example-tunnels.yaml, example-plan.yaml', 'Every field, explained. The daemon does not read them.'],
  [
    '/etc/fleet-mesh/keys/',
    'Private keys, readable by root only. The system unit reads FILE in this directory as `credential:key_FILE`, whoever owns it.',
  ],
  ['~/.config/fleet-mesh/tunnels.yaml', 'The configuration of a user unit.'],
  ['/var/lib/fleet-mesh/', 'State of the system unit: certificates, the evidence log, cut-overs, retired tunnels.'],
  [
    '/run/fleet-mesh/control.sock',
    'The socket that takes commands. Every user who may write to the socket may command the daemon.',
  ],
];

/** Environment variables that the program reads. */
export const ENVIRONMENT: readonly Fact[] = [
  ['FLEET_MESH_CONFIG', 'The configuration file, if `--config` is not given.'],
  ['STATE_DIRECTORY, RUNTIME_DIRECTORY', 'Directories of state and of sockets. systemd sets them.'],
  ['SSH_AUTH_SOCK', 'The ssh-agent of actors with `key: agent`.'],
];

/** The reaction of the daemon to each signal. */
export const SIGNALS: readonly Fact[] = [
  [
    'SIGTERM, SIGINT',
    'The daemon closes its listeners, gives open connections `stop_grace`, and ends. A second signal ends the daemon at once.',
  ],
  ['SIGHUP', 'The daemon reads the configuration again. `fleet-mesh reload` does the same, and waits for the outcome.'],
  ['SIGUSR1, SIGUSR2', 'Nothing happens.'],
];
