import fs from 'node:fs';
import fsPromises from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { LightAbortController } from './abort.ts';
import type { SimClock } from './clock.ts';
import { DISK_CALLS, type DiskCalls } from './mount.ts';

/** What a process asks its machine for. */
export interface Platform {
  readonly clock: SimClock;
  /** The disk of the process that runs now: everything below /sim. */
  disk(): DiskCalls;
  /** The same disk for a second process: below /second it has the same files. */
  second(): DiskCalls;
  /** Another one after each boot. */
  bootId(): string;
}

const ROOT = '/sim/';
const SECOND_ROOT = '/second/';
const BOOT_ID = '/proc/sys/kernel/random/boot_id';
const MACHINE_ID = '/etc/machine-id';

/** The other files of the kernel say the same in all runs, and are asked often. */
const known = new Map<unknown, unknown>();

type Call = (...args: unknown[]) => unknown;

/**
 * Puts a simulated machine under this process: the clocks, the timers, and the disk below /sim, until the returned function is
 * called. Everything goes through Node, so no file of src/ knows, and none can go past the simulation.
 */
export function installPlatform({ clock, disk, second, bootId }: Platform): () => void {
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
        if (typeof path !== 'string') return real(...args);
        if (path.startsWith(ROOT)) return (disk()[name] as Call)(...args);
        if (!path.startsWith(SECOND_ROOT)) return real(...args);
        const there = (each: unknown) =>
          typeof each === 'string' && each.startsWith(SECOND_ROOT) ? ROOT + each.slice(SECOND_ROOT.length) : each;
        return (second()[name] as Call)(...args.map(there));
      };
    };
  for (const name of DISK_CALLS) replace(promises, name, simulated(name));
  replace(direct, 'createReadStream', simulated('createReadStream'));
  replace(
    globalThis as unknown as Record<string, Call>,
    'AbortController',
    () => LightAbortController as unknown as Call,
  );
  replace(direct, 'readFileSync', (real) => (...args) => {
    const [path] = args;
    if (path === BOOT_ID) return bootId();
    if (known.has(path)) return known.get(path);
    const content = real(...args);
    if (typeof path === 'string' && (path.startsWith('/proc/') || path === MACHINE_ID)) known.set(path, content);
    return content;
  });
  syncBuiltinESMExports();
  return () => {
    for (const undo of before.toReversed()) undo();
    syncBuiltinESMExports();
  };
}
