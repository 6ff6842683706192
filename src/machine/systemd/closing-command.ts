import type { TunnelConfig } from '../../config/config.ts';
import type { SocketStatus } from '../../telemetry/status/status.ts';
import { userText } from './wanted.ts';

/**
 * The command that closes the port of a tunnel whose socket belongs to systemd; undefined: systemd has no socket for it.
 * `FileDescriptorName=` of its unit names the socket. `env`: the environment of the daemon. Pure.
 */
export function closingCommand(
  { name, listen }: Pick<TunnelConfig, 'name' | 'listen'>,
  sockets: readonly SocketStatus[],
  env: Readonly<Record<string, string | undefined>>,
): string | undefined {
  const user = userText({ user: { kind: 'tunnel', name }, address: listen });
  const socket = sockets.find(({ used_by }) => used_by === user);
  if (!socket) return undefined;
  // Only a user unit has XDG_RUNTIME_DIR.
  const { XDG_RUNTIME_DIR } = env;
  const unit = socket.name.replace(/^forward-(\d+)$/, 'forward@$1');
  return `systemctl ${XDG_RUNTIME_DIR === undefined ? '' : '--user '}disable --now fleet-mesh-${unit}.socket`;
}
