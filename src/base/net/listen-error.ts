import { messageOf, TunnelError } from '../errors.ts';
import { type Address, formatAddress } from './address.ts';

/**
 * The error for an address that cannot be bound, with a fix.
 *
 * @param who as in "the status endpoint"; the message starts with it
 * @param setting the YAML key of the address
 */
export function listenError(address: Address, who: string, setting: string, cause: unknown): TunnelError {
  const errno = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  const where = `${who} cannot listen on ${formatAddress(address)}`;
  switch (errno) {
    case 'EADDRINUSE':
      return new TunnelError('listen_in_use', `${where}: the address is in use`, {
        cause,
        hint: `Find the program with \`ss -ltnp\` (perhaps another fleet-mesh) and stop it, or change ${setting}.`,
      });
    case 'EACCES':
    case 'EPERM':
      return new TunnelError('internal', `${where}: permission denied`, {
        cause,
        hint:
          address.kind === 'unix'
            ? `The daemon user needs write permission on the directory of ${setting}.`
            : `Ports below 1024 are privileged: choose another port for ${setting}.`,
      });
    case 'ENOENT':
    case 'ENOTDIR':
      return new TunnelError('internal', `${where}: the directory does not exist`, {
        cause,
        hint: 'Create the directory, writable for the daemon user (RuntimeDirectory= in a systemd unit).',
      });
    case 'EADDRNOTAVAIL':
    case 'EAFNOSUPPORT':
      return new TunnelError('internal', `${where}: this machine has no such address`, {
        cause,
        hint: `Use an address that \`ip address\` shows for ${setting}, such as 127.0.0.1.`,
      });
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new TunnelError('dns_failed', `${where}: the host name cannot be resolved`, { cause });
    default:
      return new TunnelError('internal', `${where}: ${messageOf(cause)}`, {
        cause,
      });
  }
}
