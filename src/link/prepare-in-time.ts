import { abortable, withDeadline } from '../async/deadline.ts';
import type { ActorConfig, HostConfig } from '../config/config.ts';
import { TunnelError } from '../errors.ts';
import type { Attempt, Prepare } from './session.ts';

/** Bounds the reading: a key on a file system that hangs, or that is a FIFO, must hold up neither a link nor its stop. */
export function prepareInTime(
  prepare: Prepare,
  host: HostConfig,
  actor: ActorConfig,
  signal: AbortSignal,
): Promise<Attempt> {
  const unread = () =>
    new TunnelError('key_unreadable', `key and known_hosts were not read within ${host.connectTimeoutMs} ms`);
  return withDeadline(host.connectTimeoutMs, signal, unread, (bounded) => abortable(prepare(host, actor), bounded));
}
