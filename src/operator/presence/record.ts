import { createHash } from 'node:crypto';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { type ConfigEnvironment, placesFor } from '../../config/paths.ts';

/** Where a running daemon can be reached. Commands need it when the YAML on the disk is broken or was changed. */
export const presence = z.object({
  /** See `processIdentity`: the record of a daemon that has ended is worthless. */
  owner: z.string(),
  /** Absolute path of the tunnel YAML. */
  config: z.string(),
  /** The endpoint as in the YAML in force, host:port. */
  endpoint: z.string(),
  /** Path of the control socket; null while the daemon takes no commands. */
  socket: z.string().nullable(),
});
export type Presence = z.infer<typeof presence>;

/** The directories of the system unit. */
const SYSTEM_DIRECTORIES = ['/run/fleet-mesh', '/var/lib/fleet-mesh'];

/** Records have this form of name; others in the directory are left alone. */
export const RECORD_NAME = /^daemon-[0-9a-f]{16}\.json$/;

/** The name of the record: one for each tunnel YAML, because several daemons of a user may share a directory. */
export function recordName(config: string): string {
  return `daemon-${createHash('sha256').update(resolve(config)).digest('hex').slice(0, 16)}.json`;
}

/**
 * The directories for the record of a daemon: the runtime directory, else the default state directory, so that commands
 * find the record without the YAML; and the state directory that the YAML names.
 */
export function directoriesOfDaemon(config: string, stateDir: string, env: ConfigEnvironment): string[] {
  const { runtime, state } = placesFor(config, env);
  return [...new Set([runtime ?? state, stateDir])];
}

/** The paths at which a command looks, in order. @param stateDir `state_dir` in the YAML, if readable */
export function pathsForCommand(config: string, stateDir: string | undefined, env: ConfigEnvironment): string[] {
  const { runtime, state } = placesFor(config, env);
  const directories = [runtime, stateDir, state, ...SYSTEM_DIRECTORIES].filter((directory) => directory !== undefined);
  return [...new Set(directories)].map((directory) => join(directory, recordName(config)));
}
