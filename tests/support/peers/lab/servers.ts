import type { Capability } from '../../machine/capabilities.ts';
import { startSshd } from '../real-sshd.ts';
import { startAsyncssh } from './asyncssh.ts';
import { startDropbear } from './dropbear.ts';
import { startParamiko } from './paramiko.ts';
import type { LabServer } from './server.ts';

/** One make of SSH server: a row of the table that tests/interop/tunnels/ssh/servers.test.ts runs. */
export interface LabRow {
  readonly name: string;
  readonly needs: readonly Capability[];
  /** Its identification string. */
  readonly version: RegExp;
  /** Exchanges keys after so many bytes; undefined: the server has no such setting. */
  readonly rekeyBytes: number | undefined;
  start(): Promise<LabServer>;
}

const REKEY_BYTES = 2 * 1024 * 1024;

export const LAB: readonly LabRow[] = [
  {
    name: 'OpenSSH',
    needs: ['sshd'],
    version: /OpenSSH/,
    rekeyBytes: REKEY_BYTES,
    start: () => startSshd({ extraConfig: [`RekeyLimit ${REKEY_BYTES}`] }),
  },
  {
    name: 'dropbear',
    needs: ['root', 'mount', 'dropbear'],
    version: /dropbear/,
    rekeyBytes: undefined,
    start: () => startDropbear(),
  },
  {
    name: 'asyncssh',
    needs: ['python3', 'asyncssh', 'ssh-keygen'],
    version: /AsyncSSH/,
    rekeyBytes: REKEY_BYTES,
    start: () => startAsyncssh({ rekeyBytes: REKEY_BYTES }),
  },
  {
    name: 'paramiko',
    needs: ['python3', 'paramiko', 'ssh-keygen'],
    version: /paramiko/,
    rekeyBytes: REKEY_BYTES,
    start: () => startParamiko({ rekeyBytes: REKEY_BYTES }),
  },
];
