import fs from 'node:fs';
import fsPromises from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import type { SimClock } from './clock.ts';
import { DISK_CALLS, type DiskCalls } from './disk.ts';

/** What a process asks its machine for. */
export interface Platform {
  readonly clock: SimClock;
  /** The disk of the process that runs now: everything below /sim. */
  disk(): DiskCalls;
  /** Another one after each boot. */
  bootId(): string;
}

const ROOT = '/sim/';
const BOOT_ID = '/proc/sys/kernel/random/boot_id';

type Call = (...args: unknown[]) => unknown;

/**
 * Puts a simulated machine under this process: the clocks, the timers, and the disk below /sim, until the returned function is
 * called. Everything goes through Node, so no file of src/ knows, and none can go past the simulation.
 */
export function installPlatform({ clock, disk, bootId }: Platform): () => void {
  const promises = fsPromises as unknown as Record<string, Call>;
  const direct = fs as unknown as Record<string, Call>;
  const before: (() => void)[] = [clock.install()];
  const replace = (module: Record<string, Call>, name: string, make: (real: Call) => Call) => {
    const real = module[name] as Call;
    module[name] = make(real);
    before.push(() => {
      module[name] = real;
    });
  };
  const simulated =
    (name: keyof DiskCalls) =>
    (real: Call): Call => {
      return (...args) => {
        // The first argument of symlink is what the link says.
        const path = name === 'symlink' ? args[1] : args[0];
        const ours = typeof path === 'string' && path.startsWith(ROOT);
        return ours ? (disk()[name] as Call)(...args) : real(...args);
      };
    };
  for (const name of DISK_CALLS) replace(promises, name, simulated(name));
  replace(direct, 'createReadStream', simulated('createReadStream'));
  replace(
    direct,
    'readFileSync',
    (real) =>
      (...args) =>
        args[0] === BOOT_ID ? bootId() : real(...args),
  );
  syncBuiltinESMExports();
  return () => {
    for (const undo of before.toReversed()) undo();
    syncBuiltinESMExports();
  };
}
