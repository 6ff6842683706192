import type { Client } from 'ssh2';
import { TunnelError } from '../../base/errors.ts';

/** The part of ssh2 1.17.0 that is not public and that its own keepalive uses in the same way. */
interface GlobalRequests {
  readonly _callbacks: (() => void)[];
  readonly _protocol: { ping(): void };
}

/**
 * Sends a `keepalive@openssh.com` global request and calls back with its reply, whatever it says. ssh2 sends it only
 * from its own keepalive, which takes other traffic for silence; hence this one step into its internals, checked at
 * every call. The version of ssh2 is pinned.
 */
export function requestKeepalive(client: Client, onReply: () => void): void {
  const internals: unknown = client;
  if (!hasGlobalRequests(internals)) throw new TunnelError('internal', 'this version of ssh2 is not supported');
  // Replies to global requests come in the order of the requests (RFC 4254 section 4): one queue, one entry each.
  internals._callbacks.push(onReply);
  internals._protocol.ping();
}

function hasGlobalRequests(client: unknown): client is GlobalRequests {
  const { _callbacks, _protocol } = client as Partial<GlobalRequests>;
  return Array.isArray(_callbacks) && typeof _protocol?.ping === 'function';
}
