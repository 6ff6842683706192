import { formatAddress, type TcpAddress } from '../address.ts';
import { TunnelError } from '../errors.ts';

/** Why the endpoint could not be bound, in words that lead somewhere. */
export function listenError(listen: TcpAddress, cause: unknown): TunnelError {
  const errno = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  const where = `the status endpoint cannot listen on ${formatAddress(listen)}`;
  switch (errno) {
    case 'EADDRINUSE':
      return new TunnelError('listen_in_use', `${where}: the port is taken`, {
        cause,
        hint: `Another fleet-mesh may be running: \`fleet-mesh status\` asks it, \`ss -ltnp\` names the program. Else change endpoint.listen.`,
      });
    case 'EACCES':
    case 'EPERM':
      return new TunnelError('internal', `${where}: not permitted`, {
        cause,
        hint: 'Ports below 1024 are privileged: choose another port for endpoint.listen.',
      });
    case 'EADDRNOTAVAIL':
    case 'EAFNOSUPPORT':
      return new TunnelError('internal', `${where}: this machine has no such address`, {
        cause,
        hint: 'Use an address of this machine for endpoint.listen, such as 127.0.0.1:9780.',
      });
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new TunnelError('dns_failed', `${where}: the name cannot be resolved`, { cause });
    default:
      return new TunnelError('internal', `${where}: ${cause instanceof Error ? cause.message : String(cause)}`, {
        cause,
      });
  }
}
