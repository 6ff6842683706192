import type { ActorConfig, HostConfig } from '../config/config.ts';
import { authMethods, type Credential, loadCredential } from '../credential/credential.ts';
import { TunnelError } from '../errors.ts';
import { dial } from '../ssh/dial.ts';
import { hostKeyPolicy } from '../ssh/host-key-policy.ts';
import { loadKnownHosts } from '../ssh/known-hosts.ts';
import { openSession } from '../ssh/session.ts';
import { ChannelTransport, type Transport } from '../ssh/transport.ts';
import type { Attempt, ConnectStep, Route } from './session.ts';

/**
 * An attempt over a real network. Everything local is read first, so that a missing key or an unknown host costs the
 * server nothing and counts against us nowhere.
 *
 * @param onKnownHosts is told of the lines of the known_hosts file that cannot be used, also when there are none
 */
export async function prepare(
  host: HostConfig,
  actor: ActorConfig,
  onKnownHosts: (path: string, problems: readonly string[]) => void = () => {},
): Promise<Attempt> {
  const { user: username } = host;
  if (username === undefined) throw new TunnelError('internal', `host ${host.name} has no user`);
  const known = await loadKnownHosts(host.knownHosts, host.address, host.port);
  onKnownHosts(host.knownHosts, known.problems);
  const hostKey = hostKeyPolicy(known.entries, host.address, host.port);
  const credential = await loadCredential(actor, process.env);
  return {
    credential: {
      type: credential.type,
      fingerprint: credential.type === 'agent' ? undefined : credential.fingerprint,
    },
    connect: async (signal, route, onStep = () => {}) => {
      const { address, port, connectTimeoutMs, keepalive } = host;
      const transport = await reach(host, route, signal, onStep);
      onStep({ name: 'banner' });
      return openSession(
        transport,
        {
          peer: `${address} port ${port}${route.kind === 'jump' ? ` via ${route.host}` : ''}`,
          username,
          credential: describeCredential(actor, credential),
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

/** As shown to the operator: which of our credentials it is that a server rejects. */
function describeCredential({ key }: ActorConfig, credential: Credential): string {
  const file = key.kind === 'file' ? key.path : 'the key';
  switch (credential.type) {
    case 'static_key':
      return `${file} (${credential.fingerprint})`;
    case 'certificate':
      return `a certificate for ${file} (${credential.fingerprint})`;
    case 'agent':
      return 'the keys of ssh-agent';
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
