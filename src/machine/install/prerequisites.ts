import type { Scope } from './places.ts';

export interface Prerequisites {
  readonly scope: Scope;
  readonly isRoot: boolean;
  /** The node that systemd would run, and its version (`v20.19.0`); undefined: none found. */
  readonly node: { readonly path: string; readonly version: string } | undefined;
  /** First line of `systemctl --version`; undefined: no systemctl. */
  readonly systemd: string | undefined;
  /** Whether the manager answers. */
  readonly answers: boolean;
  /** Whether the Debian package of this program is installed. */
  readonly packaged: boolean;
  readonly user: string;
}

/** The search path of systemd for a program without a path (systemd.exec(5), `ExecSearchPath=`). */
export const SYSTEMD_PATH = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'] as const;
const OLDEST_NODE = [20, 19] as const;
/** The version of Debian 12, the oldest tested system. */
const OLDEST_SYSTEMD = 252;

/** The missing prerequisites of an installation, each with a fix. Pure. */
export function missingPrerequisites(found: Prerequisites): string[] {
  const { scope, isRoot, node, systemd, answers, packaged, user } = found;
  const problems: string[] = [];
  if (scope === 'system' && !isRoot)
    problems.push('a system installation needs root: run this command as root, or add --user');
  if (scope === 'system' && packaged) {
    problems.push('the Debian package fleet-mesh is installed: upgrade or remove it with apt');
  }
  if (node === undefined) {
    problems.push(
      `systemd finds no node in ${SYSTEMD_PATH.join(', ')}: install node, or link it: ln -s "$(command -v node)" /usr/local/bin/node`,
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
        ? 'systemd does not answer: is this a container without systemd?'
        : `the systemd manager of ${user} does not answer; start it with \`loginctl enable-linger ${user}\``,
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
