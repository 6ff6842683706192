import { lstat } from 'node:fs/promises';
import { findWrittenSocket } from '../../config/control-socket.ts';
import type { ConfigEnvironment } from '../../config/paths.ts';

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
 * The path from `--socket`, else from the file, else the first existing default: in this user's runtime directory,
 * then in that of the system unit.
 */
export async function findSocket({ socket, config }: SocketOptions, env: ConfigEnvironment): Promise<FoundSocket> {
  if (socket !== undefined) return { path: socket };
  const written = await findWrittenSocket(config, env);
  if (written.kind === 'unreadable') return { problem: written.problem };
  if (written.kind === 'written') return { path: written.path };
  const candidates = [written.path, SYSTEM_SOCKET].filter((path) => path !== undefined);
  for (const path of candidates) if (await isThere(path)) return { path };
  return { path: candidates[0] ?? SYSTEM_SOCKET };
}

async function isThere(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}
