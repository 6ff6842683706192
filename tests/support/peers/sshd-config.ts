import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

interface Paths {
  readonly hostKeys: readonly string[];
  readonly authorizedKeysFile: string;
}

/** sshd_config of the lab: keys alone, forwarding allowed, no PAM unless it is needed (an unprivileged sshd cannot use it). */
export function sshdConfig(
  program: string,
  user: string,
  port: number,
  paths: Paths,
  options: { extraConfig?: readonly string[]; penalties?: boolean },
): string {
  const { extraConfig = [] } = options;
  const own = new Set(extraConfig.map(keywordOf));
  const defaults = [
    'ListenAddress 127.0.0.1',
    `Port ${port}`,
    ...paths.hostKeys.map((path) => `HostKey ${path}`),
    `AuthorizedKeysFile ${paths.authorizedKeysFile}`,
    // The temporary directory lies below a world-writable one.
    'StrictModes no',
    `UsePAM ${isLocked(user) ? 'yes' : 'no'}`,
    'PasswordAuthentication no',
    'KbdInteractiveAuthentication no',
    'PermitRootLogin prohibit-password',
    'AllowTcpForwarding yes',
    'AllowStreamLocalForwarding yes',
    'PidFile none',
    'MaxStartups 100',
    'UseDNS no',
    'LogLevel VERBOSE',
    ...(options.penalties !== true && hasPenalties(program) ? ['PerSourcePenalties no'] : []),
  ];
  // Not only put before the defaults: of MaxStartups sshd takes the last one.
  return [...extraConfig, ...defaults.filter((line) => !own.has(keywordOf(line))), ''].join('\n');
}

function keywordOf(line: string): string | undefined {
  return line.split(' ')[0]?.toLowerCase();
}

/**
 * Whether the account has no password that could ever match ("!"), as root's on a machine that is administered through
 * sudo: without PAM sshd refuses keys to it as well. Only root can know; and an unprivileged sshd does not look either.
 */
function isLocked(user: string): boolean {
  try {
    return readFileSync('/etc/shadow', 'utf8')
      .split('\n')
      .some((line) => line.startsWith(`${user}:!`));
  } catch {
    return false;
  }
}

let known: boolean | undefined;

/** An older sshd refuses the whole file over a keyword that it does not know. */
function hasPenalties(program: string): boolean {
  if (known === undefined) {
    const { stdout, stderr } = spawnSync(program, ['-V'], { encoding: 'utf8', timeout: 10_000 });
    const [, major, minor] = /OpenSSH_(\d+)\.(\d+)/.exec(`${stdout}${stderr}`) ?? [];
    known = Number(major) * 1000 + Number(minor) >= 9008;
  }
  return known;
}
