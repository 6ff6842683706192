import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { TestRunner } from 'vitest';
import { whyNoBox } from '../../system/box/box.ts';
import { canMount } from './can-mount.ts';
import { findProgram } from './find-program.ts';

/** Capabilities of the machine that tests may need, and their Debian packages. */
const CAPABILITIES = {
  sshd: { program: 'sshd', debian: 'openssh-server' },
  ssh: { program: 'ssh', debian: 'openssh-client' },
  'ssh-keygen': { program: 'ssh-keygen', debian: 'openssh-client' },
  'ssh-agent': { program: 'ssh-agent', debian: 'openssh-client' },
  python3: { program: 'python3', debian: 'python3' },
  openssl: { program: 'openssl', debian: 'openssl' },
  curl: { program: 'curl', debian: 'curl' },
  faketime: { program: 'faketime', debian: 'faketime' },
  nft: { program: 'nft', debian: 'nftables' },
  systemctl: { program: 'systemctl', debian: 'systemd' },
  'systemd-analyze': { program: 'systemd-analyze', debian: 'systemd' },
  'dbus-daemon': { program: 'dbus-daemon', debian: 'dbus' },
  nsenter: { program: 'nsenter', debian: 'util-linux' },
  'mkfs.ext4': { program: 'mkfs.ext4', debian: 'e2fsprogs' },
  fsfreeze: { program: 'fsfreeze', debian: 'util-linux' },
  flock: { program: 'flock', debian: 'util-linux' },
  jq: { program: 'jq', debian: 'jq' },
  ip: { program: 'ip', debian: 'iproute2' },
  'dpkg-deb': { program: 'dpkg-deb', debian: 'dpkg' },
  'dpkg-scanpackages': { program: 'dpkg-scanpackages', debian: 'dpkg-dev' },
  gpg: { program: 'gpg', debian: 'gpg' },
  man: { program: 'man', debian: 'man-db' },
  chromium: { program: 'chromium', debian: 'chromium' },
  bash: { program: 'bash', debian: 'bash' },
  zsh: { program: 'zsh', debian: 'zsh' },
  fish: { program: 'fish', debian: 'fish' },
  lintian: { program: 'lintian', debian: 'lintian' },
  dropbear: { program: 'dropbear', debian: 'dropbear-bin' },
  wrk: { program: 'wrk', debian: 'wrk' },
  iperf3: { program: 'iperf3', debian: 'iperf3' },
  'ansible-playbook': { program: 'ansible-playbook', debian: 'ansible-core' },
  'ansible-lint': { program: 'ansible-lint', debian: 'ansible-lint' },
  nginx: { program: 'nginx', debian: 'nginx-light' },
  'redis-server': { program: 'redis-server', debian: 'redis-server' },
} as const;

/** Python modules and their Debian packages, where Debian installs them. */
const MODULES = {
  asyncssh: 'python3-asyncssh',
  paramiko: 'python3-paramiko',
} as const;
const DEBIAN_MODULES = '/usr/lib/python3/dist-packages';

export type Capability = keyof typeof CAPABILITIES | keyof typeof MODULES | 'root' | 'procfs' | 'mount' | 'loop';

declare module 'vitest' {
  interface TaskMeta {
    /** The missing capabilities of a test file, and how to install them. */
    missing?: Record<string, string>;
  }
}

const told = new Set<string>();

/**
 * Whether the machine has a capability, for `describe.skipIf(!has('sshd'))`. A missing capability is reported once, and
 * again at the end of `scripts/test` with the names of the skipped tests: a skipped test proves nothing. In CI as root
 * a missing installable capability is an error.
 */
export function has(capability: Capability): boolean {
  if (capability === 'root') return process.getuid?.() === 0 || missing(capability, 'run as root');
  if (capability === 'procfs') return existsSync('/proc/self/stat') || missing(capability, 'run on Linux');
  if (capability === 'mount') return canMount() || missing(capability, 'run as root with CAP_SYS_ADMIN');
  if (capability === 'loop') return canLoop() || missing(capability, 'run as root on a machine with loop devices');
  const { present, program, debian } =
    capability in MODULES
      ? moduleOf(capability as keyof typeof MODULES)
      : programOf(capability as keyof typeof CAPABILITIES);
  const { CI } = process.env;
  if (present) return true;
  if (CI === 'true' && process.getuid?.() === 0) {
    throw new Error(`${program} is missing in CI: install ${debian} (scripts/test does)`);
  }
  return missing(capability, `apt-get install ${debian}`);
}

function programOf(capability: keyof typeof CAPABILITIES) {
  const { program, debian } = CAPABILITIES[capability];
  return { present: findProgram(program) !== undefined, program, debian };
}

function moduleOf(module: keyof typeof MODULES) {
  return { present: existsSync(`${DEBIAN_MODULES}/${module}`), program: `python3 ${module}`, debian: MODULES[module] };
}

let boxTried: boolean | undefined;

/**
 * Whether a real systemd can be booted here (tests/system/box). Root and the packages are checked as usual. Limits of
 * the kernel or the container are no error, but they are reported, also in CI.
 */
export function hasBox(): boolean {
  boxTried ??= (['root', 'systemctl', 'dbus-daemon', 'nsenter', 'sshd'] as const).every(has) && canBoot();
  return boxTried;
}

function canBoot(): boolean {
  const why = whyNoBox();
  if (why === undefined) return true;
  return missing('a booted systemd', `this machine does not let us boot one: ${why}`);
}

/** Reports a missing capability and records it for the current test file. */
export function missing(capability: string, remedy: string): false {
  const { suite, file } = TestRunner.getCurrentSuite();
  const { meta } = suite?.file ?? file;
  meta.missing = { ...meta.missing, [capability]: remedy };
  if (!told.has(capability)) {
    told.add(capability);
    process.stderr.write(`\n*** SKIPPING what needs ${capability}: it is not here (${remedy}) ***\n\n`);
  }
  return false;
}

/** Whether a file system in a file can be mounted, and frozen like a disk that hangs. */
function canLoop(): boolean {
  return canMount() && has('mkfs.ext4') && has('fsfreeze') && spawnSync('losetup', ['--find']).status === 0;
}
