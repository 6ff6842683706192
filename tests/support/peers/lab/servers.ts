import type { Capability } from '../../machine/capabilities.ts';
import type { Check } from './checks.ts';
import type { LabServer } from './server.ts';

/** One make of SSH server: a row of the table that the tests run, and a column of docs/servers.md. */
export interface LabRow {
  readonly name: string;
  /** Where the tests have the server from. */
  readonly from: string;
  /** Its identification string. */
  readonly version: RegExp;
  /** Exchanges keys after so many bytes; undefined: the server has no such setting. */
  readonly rekeyBytes: number | undefined;
  /** The checks that are not tried, and why. */
  readonly untried?: { readonly [Name in Check]?: string };
  /** What is different from OpenSSH, although the check passes. */
  readonly differs?: { readonly [Name in Check]?: string };
  /** Whether the machine has the server; a missing one is reported. Call this while tests are collected. */
  here(): Promise<boolean>;
  start(): Promise<LabServer>;
}

const REKEY_BYTES = 2 * 1024 * 1024;

/** The programs are loaded late: the generator of docs/servers.md reads only the words. */
const needs =
  (...capabilities: readonly Capability[]) =>
  async () => {
    const { has } = await import('../../machine/capabilities.ts');
    return capabilities.every(has);
  };

export const LAB: readonly LabRow[] = [
  {
    name: 'OpenSSH',
    from: 'package openssh-server',
    version: /OpenSSH/,
    rekeyBytes: 4 * REKEY_BYTES,
    here: needs('sshd', 'ssh-keygen'),
    start: async () => {
      const { startSshd } = await import('../real-sshd.ts');
      return startSshd({ extraConfig: [`RekeyLimit ${4 * REKEY_BYTES}`] });
    },
  },
  {
    name: 'OpenSSH 10',
    from: 'Debian 13, by scripts/fetch-openssh',
    version: /OpenSSH_1\d/,
    rekeyBytes: REKEY_BYTES,
    here: async () => (await import('../newer-openssh.ts')).newerOpenssh() !== undefined,
    start: async () => {
      const [{ startSshd }, { newerOpenssh }] = await Promise.all([
        import('../real-sshd.ts'),
        import('../newer-openssh.ts'),
      ]);
      return startSshd(newerOpenssh(`RekeyLimit ${REKEY_BYTES}`));
    },
  },
  {
    name: 'dropbear',
    from: 'package dropbear-bin',
    version: /dropbear/,
    rekeyBytes: undefined,
    untried: { theirRekey: 'dropbear has no setting for new keys. The server starts them after 1 GB.' },
    differs: { rebind: 'dropbear releases an address with its session only. So the session is replaced.' },
    here: needs('root', 'mount', 'dropbear', 'ssh-keygen'),
    start: async () => (await import('./dropbear.ts')).startDropbear(),
  },
  {
    name: 'asyncssh',
    from: 'package python3-asyncssh',
    version: /AsyncSSH/,
    rekeyBytes: REKEY_BYTES,
    here: needs('python3', 'asyncssh', 'ssh-keygen'),
    start: async () => (await import('./asyncssh.ts')).startAsyncssh({ rekeyBytes: REKEY_BYTES }),
  },
  {
    name: 'paramiko',
    from: 'package python3-paramiko',
    version: /paramiko/,
    rekeyBytes: 4 * REKEY_BYTES,
    differs: { refused: 'paramiko gives no reason. Each failure to connect counts as a refusal.' },
    here: needs('python3', 'paramiko', 'ssh-keygen'),
    start: async () => (await import('./paramiko.ts')).startParamiko({ rekeyBytes: 4 * REKEY_BYTES }),
  },
];
