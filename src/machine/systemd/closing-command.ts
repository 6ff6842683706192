import type { TunnelConfig } from '../../config/config.ts';
import type { SocketStatus } from '../../telemetry/status/status.ts';
import { userText } from './wanted.ts';

/**
 * The command that closes the port of a tunnel which systemd holds; undefined where systemd holds none of it. The socket is
 * named by `FileDescriptorName=` of its unit. `env` is that of the daemon. Pure.
 */
export function closingCommand(
  { name, listen }: Pick<TunnelConfig, 'name' | 'listen'>,
  sockets: readonly SocketStatus[],
  env: Readonly<Record<string, string | undefined>>,
): string | undefined {
  const user = userText({ user: { kind: 'tunnel', name }, address: listen });
  const socket = sockets.find(({ used_by }) => used_by === user);
  if (!socket) return undefined;
  // A service of the system has no runtime directory of a user.
  const { XDG_RUNTIME_DIR } = env;
  const unit = socket.name.replace(/^forward-(\d+)$/, 'forward@$1');
  return `systemctl ${XDG_RUNTIME_DIR === undefined ? '' : '--user '}disable --now fleet-mesh-${unit}.socket`;
}
