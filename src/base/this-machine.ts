import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** The id of this boot of the machine; undefined where the kernel has none. */
export function bootId(): string | undefined {
  return read('/proc/sys/kernel/random/boot_id');
}

/** Milliseconds since the boot, by the clock that nobody sets: processes of one boot share it. */
export function sinceBootMs(): number {
  return Number(process.hrtime.bigint() / 1_000_000n);
}

/** Tells machines apart without revealing machine-id(5), which is confidential. Undefined without a machine id. */
export function machineHash(): string | undefined {
  const id = read('/etc/machine-id');
  return id === undefined ? undefined : createHash('sha256').update(`fleet-mesh ${id}`).digest('hex').slice(0, 32);
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim() || undefined;
  } catch {
    return undefined;
  }
}
