import { lstat } from 'node:fs/promises';
import type { ConfigEnvironment } from '../../config/paths.ts';
import { findWrittenSocket } from '../../config/written.ts';
import { findPresence } from '../presence/find.ts';

/** The socket of the system unit. */
const SYSTEM_SOCKET = '/run/fleet-mesh/control.sock';

export interface SocketOptions {
  /** Path of the daemon's control socket. */
  readonly socket?: string | undefined;
  /** Configuration file that may name it. */
  readonly config: string;
}

/** The path of the daemon's control socket, or why it is unknown. */
export type FoundSocket = { readonly path: string } | { readonly problem: string };

/**
 * The path from `--socket`; else the path that the running daemon of the file has left; else the path in the file; else the
 * first existing default. So commands reach a daemon whose file is broken or names another socket by now.
 */
export async function findSocket({ socket, config }: SocketOptions, env: ConfigEnvironment): Promise<FoundSocket> {
  if (socket !== undefined) return { path: socket };
  const left = (await findPresence(config, env))?.socket;
  if (typeof left === 'string' && (await isThere(left))) return { path: left };
  const written = await findWrittenSocket(config, env);
  if (written.kind === 'unreadable') return { problem: written.problem };
  if (written.kind === 'written') return { path: written.path };
  const candidates = [...written.paths, SYSTEM_SOCKET];
  for (const path of candidates) if (await isThere(path)) return { path };
  return { path: candidates[0] ?? SYSTEM_SOCKET };
}

async function isThere(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}
