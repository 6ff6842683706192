import { TunnelError } from '../../base/errors.ts';
import type { HostConfig } from '../../config/config.ts';
import { dial } from '../ssh/dial.ts';
import { ChannelTransport, type Transport } from '../ssh/transport.ts';
import type { ConnectStep, Route } from './session.ts';

/** A connection to the host's sshd: a socket, or the channel that the route brings. */
export async function reach(
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
