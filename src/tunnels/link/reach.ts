import { TunnelError } from '../../base/errors.ts';
import type { HostConfig } from '../../config/config.ts';
import { dial } from '../ssh/dial.ts';
import { ChannelTransport, type Transport } from '../ssh/transport.ts';
import type { ConnectStep, Route } from './session.ts';

/** Connects to the host's sshd: by a socket, or over the channel of the route. */
export async function reach(
  host: HostConfig,
  route: Route,
  signal: AbortSignal,
  onStep: (step: ConnectStep) => void,
): Promise<Transport> {
  if (route.kind === 'jump') {
    const lost = () =>
      new TunnelError('connection_reset', `the SSH session to jump host ${route.host} was lost`, {
        hint: 'The session ran over that jump host. Check the link to the jump host with `fleet-mesh status`.',
      });
    return new ChannelTransport(route.carrier.channel, lost);
  }
  const { address, port, connectTimeoutMs } = host;
  onStep({ name: 'dns' });
  const onResolved = (addresses: readonly string[]) => onStep({ name: 'tcp', addresses });
  return dial({ host: address, port, timeoutMs: connectTimeoutMs, avoid: route.avoid, onResolved }, signal);
}
