import type { HostConfig } from '../config/config.ts';
import { authMethods } from '../credential/credential.ts';
import { inTime } from '../credential/key-offer.ts';
import type { CredentialSource, Need } from '../credential/offer.ts';
import { TunnelError } from '../errors.ts';
import { CertifiedHosts } from '../ssh/certified-host.ts';
import { dial } from '../ssh/dial.ts';
import { fetchHostKey } from '../ssh/fetch-host-key.ts';
import { type HostKeyPolicy, type HostTrust, hostTrust } from '../ssh/host-key-policy.ts';
import { loadKnownHosts } from '../ssh/known-hosts.ts';
import { openSession } from '../ssh/session.ts';
import { ChannelTransport, type Transport } from '../ssh/transport.ts';
import type { Attempt, ConnectStep, Route } from './session.ts';

/**
 * An attempt over a real network. Everything local is read first, so that a missing key or an unknown host costs the
 * server nothing and counts against us nowhere.
 *
 * @param credentials of the actor
 * @param onKnownHosts is told of the lines of the known_hosts file that cannot be used, also when there are none
 */
export async function prepare(
  host: HostConfig,
  credentials: CredentialSource,
  need: Need,
  onKnownHosts: (path: string, problems: readonly string[]) => void = () => {},
): Promise<Attempt> {
  const { user: username } = host;
  if (username === undefined) throw new TunnelError('internal', `host ${host.name} has no user`);
  const reading = loadKnownHosts(host.knownHosts, host.address, host.port);
  const known = await inTime(host.knownHosts, reading, host.connectTimeoutMs);
  onKnownHosts(host.knownHosts, known.problems);
  const trust = hostTrust(known.entries, host.address, host.port);
  const { credential, facts, label } = await credentials.current(need);
  return {
    credential: facts,
    connect: async (signal, route, onStep = () => {}) => {
      const { address, port, connectTimeoutMs, keepalive } = host;
      const peer = `${address} port ${port}${route.kind === 'jump' ? ` via ${route.host}` : ''}`;
      const hostKey = await policyOf(trust, host, peer, route, signal);
      const transport = await reach(host, route, signal, onStep);
      onStep({ name: 'banner' });
      return openSession(
        transport,
        {
          peer,
          username,
          credential: label,
          authMethods: authMethods(credential, username),
          hostKey,
          stepTimeoutMs: connectTimeoutMs,
          keepalive,
          onStep: (name) => onStep({ name }),
        },
        signal,
      );
    },
  };
}

/** One for the process: links to the same host share what they learn of it. */
const certifiedHosts = new CertifiedHosts();

async function policyOf(
  trust: HostTrust,
  host: HostConfig,
  peer: string,
  route: Route,
  signal: AbortSignal,
): Promise<HostKeyPolicy> {
  if (trust.kind === 'keys') return trust.policy;
  const { name, address, port, connectTimeoutMs: timeoutMs } = host;
  const fetch = async (algorithms: readonly string[]) => {
    const way = route.kind === 'jump' ? { ...route, carrier: await route.another(signal) } : route;
    return fetchHostKey(await reach(host, way, signal, () => {}), algorithms, { peer, timeoutMs }, signal);
  };
  try {
    return await certifiedHosts.policy(`${name} ${address} ${port}`, trust.trusted, fetch, Date.now);
  } catch (error) {
    // Nothing runs over it yet that would close it.
    if (route.kind === 'jump') route.carrier.channel.close();
    throw error;
  }
}

async function reach(
  host: HostConfig,
  route: Route,
  signal: AbortSignal,
  onStep: (step: ConnectStep) => void,
): Promise<Transport> {
  if (route.kind === 'jump') {
    const lost = () =>
      new TunnelError('connection_reset', `the SSH session to its jump host ${route.host} was lost under it`, {
        hint: 'Look at the link to the jump host: what ended that session ended this one.',
      });
    return new ChannelTransport(route.carrier.channel, lost);
  }
  const { address, port, connectTimeoutMs } = host;
  onStep({ name: 'dns' });
  const onResolved = (addresses: readonly string[]) => onStep({ name: 'tcp', addresses });
  return dial({ host: address, port, timeoutMs: connectTimeoutMs, inUse: route.inUse, onResolved }, signal);
}
