import type { Scope } from './places.ts';

export interface Prerequisites {
  readonly scope: Scope;
  readonly isRoot: boolean;
  /** The node that systemd would run, and what it calls itself (`v20.19.0`); undefined where there is none. */
  readonly node: { readonly path: string; readonly version: string } | undefined;
  /** First line of `systemctl --version`; undefined where there is no systemctl. */
  readonly systemd: string | undefined;
  /** Whether the manager answers. */
  readonly answers: boolean;
  /** Whether the Debian package of this program is installed. */
  readonly packaged: boolean;
  readonly user: string;
}

/** Where systemd looks for a program without a path (systemd.exec(5), `ExecSearchPath=`). */
export const SYSTEMD_PATH = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'] as const;
const OLDEST_NODE = [20, 19] as const;
/** That of Debian 12, on which all of this was tried. */
const OLDEST_SYSTEMD = 252;

/** What is missing for an installation, each with what would help. Pure. */
export function missingPrerequisites(found: Prerequisites): string[] {
  const { scope, isRoot, node, systemd, answers, packaged, user } = found;
  const problems: string[] = [];
  if (scope === 'system' && !isRoot) problems.push('only root installs for the system: log in as root, or use --user');
  if (scope === 'system' && packaged) {
    problems.push('the Debian package fleet-mesh is installed: apt upgrades and removes it, not this');
  }
  if (node === undefined) {
    problems.push(
      `systemd finds no node in ${SYSTEMD_PATH.join(', ')}: install it, or link it there (ln -s "$(command -v node)" /usr/local/bin/node)`,
    );
  } else if (!isRecent(node.version)) {
    problems.push(`${node.path} is ${node.version}: node ${OLDEST_NODE.join('.')} or later is needed`);
  }
  const version = systemdVersion(systemd);
  if (version === undefined) problems.push('systemd (systemctl) is missing');
  else if (version < OLDEST_SYSTEMD)
    problems.push(`systemd ${version} is too old: ${OLDEST_SYSTEMD} or later is needed`);
  else if (!answers) {
    problems.push(
      scope === 'system'
        ? 'systemd does not answer: is this a container without it?'
        : `the systemd manager of ${user} does not answer: \`loginctl enable-linger ${user}\` starts it`,
    );
  }
  return problems;
}

/** 252 of `systemd 252 (252.39-1~deb12u2)`. Pure. */
export function systemdVersion(line: string | undefined): number | undefined {
  const [, number] = /^systemd (\d+)/.exec(line ?? '') ?? [];
  return number === undefined ? undefined : Number(number);
}

function isRecent(version: string): boolean {
  const [, major, minor] = /^v(\d+)\.(\d+)\./.exec(version) ?? [];
  const [oldMajor, oldMinor] = OLDEST_NODE;
  return Number(major) > oldMajor || (Number(major) === oldMajor && Number(minor) >= oldMinor);
}
