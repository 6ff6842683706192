import { messageOf, TunnelError } from '../errors.ts';
import { type Address, formatAddress } from './address.ts';

/**
 * Why an address could not be bound, in words that lead somewhere.
 *
 * @param who as in "the status endpoint"; the message starts with it
 * @param setting where the address comes from, as in the YAML
 */
export function listenError(address: Address, who: string, setting: string, cause: unknown): TunnelError {
  const errno = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  const where = `${who} cannot listen on ${formatAddress(address)}`;
  switch (errno) {
    case 'EADDRINUSE':
      return new TunnelError('listen_in_use', `${where}: the address is taken`, {
        cause,
        hint: `\`ss -ltnp\` names the program that holds it; another fleet-mesh may be running. Else change ${setting}.`,
      });
    case 'EACCES':
    case 'EPERM':
      return new TunnelError('internal', `${where}: not permitted`, {
        cause,
        hint:
          address.kind === 'unix'
            ? `The daemon user needs write permission on the directory of ${setting}.`
            : `Ports below 1024 are privileged: choose another for ${setting}.`,
      });
    case 'ENOENT':
    case 'ENOTDIR':
      return new TunnelError('internal', `${where}: its directory does not exist`, {
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
      return new TunnelError('dns_failed', `${where}: the name cannot be resolved`, { cause });
    default:
      return new TunnelError('internal', `${where}: ${messageOf(cause)}`, {
        cause,
      });
  }
}
