import type { HostConfig } from '../../config/config.ts';
import { CertifiedHosts } from '../ssh/host-key/certified-host.ts';
import { fetchHostKey } from '../ssh/host-key/fetch-host-key.ts';
import type { HostKeyPolicy, HostTrust } from '../ssh/host-key/host-key-policy.ts';
import { reach } from './reach.ts';
import type { ConnectStep, Route } from './session.ts';

/** Shared by all links: a host's certified key is fetched once for all of them. */
const certifiedHosts = new CertifiedHosts();

/**
 * The host keys that the next session accepts. When known_hosts has only a CA, this may need an extra connection by the
 * same route. Rejects with a TunnelError; the route's channel is then closed.
 *
 * @param peer the name of the server in errors
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
    // No session uses the channel yet, so nothing else would close it.
    if (route.kind === 'jump') route.carrier.channel.close();
    throw error;
  }
}
