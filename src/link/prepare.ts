import type { ActorConfig, HostConfig } from '../config/config.ts';
import { authMethods, loadCredential } from '../credential/credential.ts';
import { TunnelError } from '../errors.ts';
import { dial } from '../ssh/dial.ts';
import { hostKeyPolicy } from '../ssh/host-key-policy.ts';
import { loadKnownHosts } from '../ssh/known-hosts.ts';
import { openSession } from '../ssh/session.ts';
import type { Attempt } from './session.ts';

/**
 * An attempt over a real network. Everything local is read first, so that a missing key or an unknown host costs the
 * server nothing and counts against us nowhere.
 */
export async function prepare(host: HostConfig, actor: ActorConfig): Promise<Attempt> {
  const { user: username } = host;
  if (username === undefined) throw new TunnelError('internal', `host ${host.name} has no user`);
  const known = await loadKnownHosts(host.knownHosts);
  const hostKey = hostKeyPolicy(known.entries, host.address, host.port);
  const credential = await loadCredential(actor, process.env);
  return {
    credential: {
      type: credential.type,
      fingerprint: credential.type === 'static_key' ? credential.fingerprint : undefined,
    },
    connect: async (signal) => {
      const { address, port, connectTimeoutMs, keepalive } = host;
      const socket = await dial({ host: address, port, timeoutMs: connectTimeoutMs }, signal);
      return openSession(
        socket,
        {
          peer: `${address} port ${port}`,
          username,
          authMethods: authMethods(credential, username),
          hostKey,
          stepTimeoutMs: connectTimeoutMs,
          keepalive,
        },
        signal,
      );
    },
  };
}
