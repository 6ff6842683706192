import type { HostConfig } from '../../config/config.ts';
import { CertifiedHosts } from '../ssh/host-key/certified-host.ts';
import { fetchHostKey } from '../ssh/host-key/fetch-host-key.ts';
import type { HostKeyPolicy, HostTrust } from '../ssh/host-key/host-key-policy.ts';
import { reach } from './reach.ts';
import type { ConnectStep, Route } from './session.ts';

/** One for the process: links to the same host share what they learn of it. */
const certifiedHosts = new CertifiedHosts();

/**
 * By which keys the next session knows its host. Where known_hosts has a CA alone, this may take a connection of its own,
 * on the same way as the session. When it rejects, with a TunnelError, the route's channel is closed.
 *
 * @param peer as shown in errors
 */
export async function sessionHostKey(
  trust: HostTrust,
  host: HostConfig,
  peer: string,
  route: Route,
  signal: AbortSignal,
  onStep: (step: ConnectStep) => void,
): Promise<HostKeyPolicy> {
  if (trust.kind === 'keys') return trust.policy;
  const { name, address, port, connectTimeoutMs: timeoutMs } = host;
  const fetch = async (algorithms: readonly string[]) => {
    const way = route.kind === 'jump' ? { ...route, carrier: await route.another(signal) } : route;
    const transport = await reach(host, way, signal, onStep);
    return fetchHostKey(transport, algorithms, { peer, timeoutMs, onStep: (step) => onStep({ name: step }) }, signal);
  };
  try {
    return await certifiedHosts.policy(`${name} ${address} ${port}`, trust.trusted, fetch, Date.now);
  } catch (error) {
    // Nothing runs over it yet that would close it.
    if (route.kind === 'jump') route.carrier.channel.close();
    throw error;
  }
}
