import fs from 'node:fs';
import fsPromises from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import timersPromises from 'node:timers/promises';
import { LightAbortController } from './abort.ts';
import type { SimClock } from './clock.ts';
import { endTurn } from './event-loop.ts';
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

/** The machine of this run; undefined between runs. */
let installed: Platform | undefined;

/**
 * Puts a simulated machine under this process: the clocks, the timers, and the disk below /sim, until the returned function is
 * called. Everything goes through Node, so no file of src/ knows, and none can go past the simulation.
 */
export function installPlatform(platform: Platform): () => void {
  extendNode();
  const { AbortController: RealAbortController } = globalThis;
  const removeClock = platform.clock.install();
  Object.assign(globalThis, { AbortController: LightAbortController });
  installed = platform;
  return () => {
    installed = undefined;
    Object.assign(globalThis, { AbortController: RealAbortController });
    removeClock();
  };
}

let isExtended = false;

/** Once: from then on Node asks for a simulated machine first. To change all its exports takes as long as a part of a run. */
function extendNode(): void {
  if (isExtended) return;
  isExtended = true;
  const promises = fsPromises as unknown as Record<string, Call>;
  const direct = fs as unknown as Record<'createReadStream' | 'readFileSync', Call>;
  const timers = timersPromises as unknown as Record<'setImmediate', Call>;
  for (const name of DISK_CALLS) promises[name] = simulated(name, promises[name] as Call);
  direct.createReadStream = simulated('createReadStream', direct.createReadStream);
  direct.readFileSync = readFileSync(direct.readFileSync);
  const { setImmediate: realTurn } = timers;
  timers.setImmediate = (...args) => (installed ? new Promise<void>(endTurn) : realTurn(...args));
  syncBuiltinESMExports();
}

function simulated(name: keyof DiskCalls, real: Call): Call {
  return (...args) => {
    // The first argument of symlink is what the link says.
    const path = name === 'symlink' ? args[1] : args[0];
    if (!installed || typeof path !== 'string') return real(...args);
    if (path.startsWith(ROOT)) return (installed.disk()[name] as Call)(...args);
    if (!path.startsWith(SECOND_ROOT)) return real(...args);
    const there = (each: unknown) =>
      typeof each === 'string' && each.startsWith(SECOND_ROOT) ? ROOT + each.slice(SECOND_ROOT.length) : each;
    return (installed.second()[name] as Call)(...args.map(there));
  };
}

function readFileSync(real: Call): Call {
  return (...args) => {
    const [path] = args;
    if (!installed) return real(...args);
    if (path === BOOT_ID) return installed.bootId();
    if (known.has(path)) return known.get(path);
    const content = real(...args);
    if (typeof path === 'string' && (path.startsWith('/proc/') || path === MACHINE_ID)) known.set(path, content);
    return content;
  };
}
